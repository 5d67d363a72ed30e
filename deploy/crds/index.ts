/** The custom resource definitions as they are checked in, for what installs them. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { load } from 'js-yaml';
import { plurals } from '../../core/bundle/custom-resource';

/** Plain objects of kind CustomResourceDefinition, in a fixed order: apply them before anything of their kinds. */
export function customResourceDefinitions(): readonly object[] {
  return Object.values(plurals).map((plural): object => {
    const definition = load(fs.readFileSync(path.join(__dirname, `${plural}.yaml`), 'utf8'));
    if (typeof definition !== 'object' || definition === null) throw new Error(`internal: ${plural}.yaml holds no object`);
    return definition;
  });
}
