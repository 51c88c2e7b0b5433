/** What one evaluation of a map says about x. */
export interface FixedPointStep<X> {
  /** How far the map moves x, relative to its size. */
  readonly residual: number;
  /** x + factor·(F(x) − x), or whatever goes that share of the way. */
  move(factor: number): X;
}

/** Steps that go only part of the way, and a smaller part where that does not help. */
export interface Damping {
  readonly initial: number;
  readonly least: number;
  /** What a factor is multiplied by when it shrinks. */
  readonly shrink: number;
  /** Shrinks at once, before the step is taken, when a residual exceeds this times the one before. */
  readonly slow?: number;
  /** Shrinks for the next step after so many without progress, above a residual: a cycle. */
  readonly cycle?: { readonly steps: number; readonly above: number };
}

/** Rounding can keep a residual above any tolerance: so many steps without progress below a residual end the iteration. */
export interface Standstill {
  /** A residual below this times the best one so far is progress. */
  readonly progress: number;
  readonly steps: number;
  /** Steps without progress count below this residual. @defaultValue Infinity */
  readonly counted?: number;
  /** They end the iteration below this one. @defaultValue Infinity */
  readonly below?: number;
}

export interface FixedPointOptions {
  readonly tolerance: number;
  readonly maximumIterations: number;
  /** @defaultValue whole steps */
  readonly damping?: Damping;
  /** @defaultValue none */
  readonly standstill?: Standstill;
  /**
   * Errors of `evaluate` that mean that x is outside the domain of the map: the step that led there is halved until it stays inside, thirty
   * times at most. @defaultValue none, errors pass
   */
  readonly leavesDomain?: ((error: unknown) => boolean) | undefined;
  /** Called after every evaluation; throws to cancel. */
  readonly onIteration?: ((iteration: number) => void) | undefined;
}

/** How an iteration ended: at `x`, from where `step` would go on. */
export interface FixedPointEnd<X, Step> {
  readonly x: X;
  readonly step: Step;
  /** The share that `step` would have gone. */
  readonly factor: number;
  /** Residual ≤ tolerance. */
  readonly converged: boolean;
  readonly iterations: number;
  readonly residual: number;
  /** The residual before the last one. */
  readonly previous: number;
}

const mostHalvings = 30;
const wholeSteps: Damping = { initial: 1, least: 1, shrink: 1 };
const never: Standstill = { progress: 1, steps: Infinity };

/**
 * Damped fixed-point iteration x ← x + factor·(F(x) − x) until the residual is within the tolerance, stands still, is no number any more,
 * or the iterations are used up. One evaluation of `evaluate` an iteration; the last one is returned with its x. @throws what `evaluate`
 * throws, unless `leavesDomain` says that a shorter step may help.
 */
export function fixedPoint<X, Step extends FixedPointStep<X>>(
  start: X,
  evaluate: (x: X) => Step,
  { tolerance, maximumIterations, damping = wholeSteps, standstill = never, leavesDomain, onIteration }: FixedPointOptions,
): FixedPointEnd<X, Step> {
  const { progress, steps, counted = Infinity, below = Infinity } = standstill;
  const { least, shrink, slow = Infinity, cycle } = damping;
  const smaller = (factor: number): number => Math.max(least, shrink * factor);
  let x = start;
  let nextFactor = damping.initial;
  let [best, previous, idle] = [Infinity, Infinity, 0];
  let inside: { readonly step: Step; readonly factor: number; readonly halvings: number } | undefined;
  for (let iterations = 1; ; iterations++) {
    let step: Step;
    try {
      step = evaluate(x);
    } catch (error) {
      if (!leavesDomain?.(error) || inside === undefined || inside.halvings >= mostHalvings || iterations >= maximumIterations) throw error;
      inside = { ...inside, factor: 0.5 * inside.factor, halvings: inside.halvings + 1 };
      x = inside.step.move(inside.factor);
      continue;
    }
    const { residual } = step;
    if (residual > slow * previous) nextFactor = smaller(nextFactor);
    const factor = nextFactor;
    if (residual < progress * best) [best, idle] = [residual, 0];
    else if (cycle !== undefined && idle >= cycle.steps && residual > cycle.above) [nextFactor, idle] = [smaller(factor), 0];
    else if (residual < counted) idle++;
    onIteration?.(iterations);
    const converged = residual <= tolerance;
    if (converged || (idle >= steps && residual < below) || iterations >= maximumIterations || !Number.isFinite(residual))
      return { x, step, factor, converged, iterations, residual, previous };
    inside = { step, factor, halvings: 0 };
    x = step.move(factor);
    previous = residual;
  }
}
