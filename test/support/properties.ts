import fc from 'fast-check';

/**
 * A property that fails is made smaller for a while, and then reported as it is: one whose runs take long, and never let
 * go of the thread, would keep its file from ending.
 */
const parameters = { numRuns: 100, plugins: [fc.interruptAfterTimeLimit(8_000)] };
fc.configureGlobal(parameters);
