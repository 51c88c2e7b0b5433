/** Seconds that a plug-in may take to load, here or in a worker. */
const patience = 30;

/** A module that is being imported, or an error when it takes too long: a top-level `await` may never end. */
export async function loadedInTime<T>(loading: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it has not loaded in ${patience} s`)), patience * 1000);
  });
  try {
    return await Promise.race([loading, late]);
  } finally {
    clearTimeout(timer);
  }
}
