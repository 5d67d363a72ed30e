/** Every kind of diagnostic of the product, in order of code: what `meshwright explain` lists and the pages are made from. */
import { admit } from './admit';
import type { DiagnosticCode, Severity } from './diagnostic';
import { deploy } from './deploy';
import { emit } from './emit';
import { enforce } from './enforce';
import { evaluate } from './evaluate';
import { gateways } from './gateways';
import { gitops } from './gitops';
import { inject } from './inject';
import { install } from './install';
import { internal } from './internal';
import { analyse } from './analyse';
import { answers } from './answers';
import { ir } from './ir';
import { networks } from './networks';
import { outside } from './outside';
import { policy } from './policy';
import { settings } from './settings';
import { sign } from './sign';
import { source } from './source';

export interface CatalogueEntry {
  readonly code: DiagnosticCode;
  readonly slug: string;
  readonly severity: Severity;
  readonly summary: string;
  /** The stage that says it: the name of its catalogue file. */
  readonly stage: string;
  /** The formatters, for pages that show the words with the parameters' names in them. */
  readonly message: (params: never) => string;
  readonly help: ((params: never) => string) | null;
}

const stages = {
  internal,
  source,
  evaluate,
  policy,
  ir,
  settings,
  answers,
  outside,
  gateways,
  networks,
  analyse,
  emit,
  sign,
  deploy,
  gitops,
  install,
  admit,
  inject,
  enforce,
};

export const catalogue: readonly CatalogueEntry[] = Object.entries(stages)
  .flatMap(([stage, kinds]) =>
    Object.values(kinds).map(({ code, slug, severity, summary, message, help }): CatalogueEntry => ({
      code,
      slug,
      severity,
      summary,
      stage,
      message,
      help: help ?? null,
    })),
  )
  .sort((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
