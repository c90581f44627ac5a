import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Log } from '../telemetry/log.ts';

export interface Certificate {
  /** The certificate and key as they are now. Rejects, naming the setting, when they cannot be used. */
  read(): Promise<SecureContextOptions>;
  /** Calls back with what the files hold after a change; a pair that cannot be used is logged and left out. */
  follow(use: (options: SecureContextOptions) => void): void;
  close(): void;
}

const LOOK_EVERY_MS = 2_000;

/** A certificate and its key in files that are renewed while the gateway runs. */
export function createCertificate(
  files: { readonly cert: string; readonly key: string },
  folder: string,
  log: Log,
): Certificate {
  const paths = { cert: resolve(folder, files.cert), key: resolve(folder, files.key) };
  const read = async (): Promise<SecureContextOptions> => {
    const cert = await open(paths.cert, 'cert');
    const key = await open(paths.key, 'key');
    const options: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2' };
    try {
      createSecureContext(options);
    } catch (error) {
      throw new Error(`listen.tls: ${paths.cert} and ${paths.key} are no certificate and its key`, {
        cause: error,
      });
    }
    return options;
  };
  let onChange: (() => void) | undefined;
  return {
    read,
    follow: (use) => {
      onChange = () => {
        read().then(
          (options) => {
            use(options);
            log.info({ cert: paths.cert }, 'the certificate has changed and is in use');
          },
          (error: unknown) =>
            log.error(
              { err: error },
              'the certificate has changed and is wrong; the one before stays in use',
            ),
        );
      };
      for (const path of Object.values(paths))
        watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, onChange);
    },
    close: () => {
      if (onChange === undefined) return;
      for (const path of Object.values(paths)) unwatchFile(path, onChange);
    },
  };
}

async function open(path: string, field: 'cert' | 'key'): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`listen.tls.${field}: ${path} cannot be read`, { cause: error });
  }
}
