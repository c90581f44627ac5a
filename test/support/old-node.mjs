import { registerHooks } from 'node:module';

/**
 * To be loaded before a program: this Node says that it is v20.20.2, and puts the name of each module that is loaded from
 * then on on standard output.
 */
Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });
registerHooks({
  load: (url, context, next) => {
    process.stdout.write(`${url.slice(url.lastIndexOf('/') + 1)}\n`);
    return next(url, context);
  },
});
