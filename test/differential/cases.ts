/** Cases: one JSON file for each difference that was found, as small as it could be made. All are asked again in every run. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Declaration } from '../../core/declarations/declaration';
import type { Decision } from '../../core/semantics/decision';
import { listFiles } from '../../platform/files';
import type { Question } from '../kit/mesh-generator-requests';

export const casesFolder = path.join(__dirname, 'cases');

export interface Case {
  /** What was wrong, in a sentence. */
  readonly about: string;
  /** The mesh as somebody would have written it: an IR grows members, declarations stay good. */
  readonly declarations: readonly Declaration[];
  readonly question: Question;
  /** What the definition says. Another word of it here is another meaning: it must be meant. */
  readonly expected: Expected;
  /** What was seen before it was repaired. */
  readonly got: string;
}
/** All but the sentence for people. A decision may say more than a case does: the definition grows. */
export type Expected = Omit<Decision, 'says'>;

export function expectedOf({ says: _sentence, ...decision }: Decision): Expected {
  return decision;
}

/** The text of a case file, ready to be kept. */
export const formatCase = (one: Case): string => `${JSON.stringify(one, null, 1)}\n`;

export async function readCases(): Promise<readonly (readonly [name: string, one: Case])[]> {
  const names = (await listFiles(casesFolder)).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(
    names.map(async (name) => [name, JSON.parse(await fs.readFile(path.join(casesFolder, name), 'utf8')) as Case] as const), // our own files
  );
}
