// How fast the interactive page is: from a touch to the picture, and what keeps its thread busy. On a machine that does other things too,
// processor time is what the page takes, and the least of the wall times comes nearest to what a visitor would wait.

/**
 * Runs an action and gives the longest task of the page's thread in which script, layout or painting ran: milliseconds of processor time.
 */
export async function longestTask(page, action) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const includedCategories = ["devtools.timeline", "toplevel", "blink"];
  await session.send("Tracing.start", { traceConfig: { includedCategories } });
  await action();
  const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.end");
  await complete;
  await session.detach();
  const work = /^(FunctionCall|EvaluateScript|HandlePostMessage|TimerFire|FireAnimationFrame|Layout|Paint|ParseHTML|EventDispatch)$/;
  const isWork = events.filter(({ name }) => work.test(name));
  const threads = new Set(
    events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const tasks = events.filter(({ name, pid, tid }) => name === "ThreadControllerImpl::RunTask" && threads.has(`${pid} ${tid}`));
  const contains = (task, one) => one.pid === task.pid && one.tid === task.tid && one.ts >= task.ts && one.ts <= task.ts + task.dur;
  const busy = tasks.filter((task) => isWork.some((one) => contains(task, one)));
  return Math.max(0, ...busy.map(({ tdur = 0 }) => tdur / 1000));
}

/** Touches the width slider again and again; milliseconds until each theory's picture has been painted, and of each in its worker. */
export const timeSlider = (page, touches) =>
  page.evaluate(async (count) => {
    const app = document.querySelector("fw-explore");
    const { session } = app;
    const slider = document.querySelector(".width-of input[type=range]");
    const methods = ["nngp", "exact", "effective-action"];
    const found = Object.fromEntries(methods.map((method) => [method, { picture: [], worker: [] }]));
    const painted = async () => {
      await app.updateComplete;
      // a message comes after the frame that is being made
      await new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.addEventListener("message", resolve);
        port1.start();
        port2.postMessage(undefined);
      });
    };
    for (let i = 0; i < count; i++) {
      const before = session.answers.solved;
      const since = performance.now();
      // widths from 32 on: every step is another width
      slider.value = String(500 + 15 * i);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      const open = new Set(methods);
      while (open.size > 0) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        const there = [...open].filter((method) => session.answers.solved.get(method) !== before.get(method));
        if (there.length === 0) continue;
        await painted();
        for (const method of there) {
          open.delete(method);
          found[method].picture.push(performance.now() - since);
          found[method].worker.push(session.answers.solved.get(method).milliseconds);
        }
      }
    }
    return found;
  }, touches);

/** Median and least of some times. */
export function told(times) {
  const sorted = times.toSorted((a, b) => a - b);
  return `${sorted[sorted.length >> 1].toFixed(0)} (least ${sorted[0].toFixed(0)})`;
}
