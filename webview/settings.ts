import * as z from 'zod';

/**
 * Imported before any schema: zod compiles schemas with `new Function` where it may, and to find out whether it
 * may is already a violation of the page's content security policy.
 */
z.config({ jitless: true });
