import type { Call, Next, Outcome, Pipeline, Stage } from './call.ts';

/**
 * Puts the stages together, the first outermost. A stage that throws, against its contract, refuses the call:
 * nothing passes because a guard broke. The stages around it see the refusal, and so it is recorded.
 */
export function createPipeline(stages: readonly Stage[], onBroken: (error: unknown) => void): Pipeline {
  const end: Next = () => Promise.reject(new Error('the pipeline ends without an upstream'));
  const run = stages.reduceRight<Next>(
    (next, stage) => async (call) => {
      try {
        return await stage(call, next);
      } catch (error) {
        onBroken(error);
        return BROKEN;
      }
    },
    end,
  );
  return { run: (call: Call) => run(call) };
}

const BROKEN: Outcome = {
  ok: false,
  refusal: {
    reason: 'upstream-unavailable',
    message: 'the gateway failed to process the call; its log says why',
  },
};
