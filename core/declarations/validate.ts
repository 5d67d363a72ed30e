/** Holds every evaluated value to the JSON Schema of its kind: the SDK made it well-formed, and this is what does not have to trust the SDK. */
import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv';
import schema from './declaration.schema.json';

export interface DeclarationProblem {
  /** The position in the list that was given. */
  readonly index: number;
  /** Path inside the value: `otherwise.timeout`; empty for the value itself. */
  readonly at: string;
  /** What is wrong, as the rest of a sentence: `must be string`. */
  readonly says: string;
}

/** At most this many problems of one value: after a few, they repeat each other. */
const problemsShown = 8;

const validators = new Map<string, ValidateFunction>();
let ajv: Ajv | undefined;

/** The branch of the union for each kind, so that a problem is told against the one shape that was meant. */
const branchOf: ReadonlyMap<string, number> = new Map(
  schema.definitions.DeclarationValue.anyOf.map((branch, index) => [branch.properties.kind.const, index]),
);

function validatorOf(kind: string): ValidateFunction | undefined {
  const known = validators.get(kind);
  if (known) return known;
  const branch = branchOf.get(kind);
  if (branch === undefined) return undefined;
  ajv ??= new Ajv({ allErrors: false, strict: false, validateFormats: false }).addSchema(schema);
  const made = ajv.compile({ $ref: `${schema.$id}#/definitions/DeclarationValue/anyOf/${branch}` });
  validators.set(kind, made);
  return made;
}

/** What is wrong with these values (a `DeclarationValue` each, as parsed from JSON); empty when nothing is. Compiles each kind's schema once, when first met. */
export function validateDeclarations(values: readonly unknown[]): readonly DeclarationProblem[] {
  const problems: DeclarationProblem[] = [];
  values.forEach((value, index) => {
    const kind = typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string' ? value.kind : undefined;
    const validator = kind === undefined ? undefined : validatorOf(kind);
    if (!validator)
      problems.push({ index, at: 'kind', says: kind === undefined ? 'is missing' : `is no kind of declaration: \`${kind.slice(0, 80)}\`` });
    else if (!validator(value))
      for (const error of (validator.errors ?? []).slice(0, problemsShown)) problems.push({ index, ...tell(error) });
  });
  return problems;
}

function tell(error: ErrorObject): Omit<DeclarationProblem, 'index'> {
  const at = error.instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
  const extra: unknown = error.params['additionalProperty'];
  return { at, says: `${error.message ?? 'is not of its form'}${typeof extra === 'string' ? `: \`${extra.slice(0, 80)}\`` : ''}` };
}
