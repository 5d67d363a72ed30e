import { readFileSync } from 'node:fs';
import * as path from 'node:path';

/** The version in package.json, whether this runs from the source tree or from dist. */
export function version(): string {
  for (let folder = __dirname; path.dirname(folder) !== folder; folder = path.dirname(folder)) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
      if (typeof parsed === 'object' && parsed !== null && 'name' in parsed && parsed.name === 'meshwright' && 'version' in parsed)
        return String(parsed.version);
    } catch {
      // further up
    }
  }
  return '0.0.0';
}
