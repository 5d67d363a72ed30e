import { hasErrors, type Diagnostic, type Span } from '../diagnostics/diagnostic';
import { source } from '../diagnostics/source';
import { importCycles, type Edge } from './cycles';
import { spanAt } from './place';
import { resolveImport } from './resolve';
import { scanModule, type ImportSite, type WordSite } from './scan';
import { isNounFile, isPolicyFile, isPublicFile, isTestFile, rootModule, teamOfFile, type SourceTree } from './tree';

const remembered = new WeakMap<SourceTree, readonly Diagnostic[]>();

/** Everything that is refused before a type checker or an engine sees the sources. Pure; remembered for a tree. */
export function checkTree(tree: SourceTree): readonly Diagnostic[] {
  const known = remembered.get(tree);
  if (known) return known;
  const found = check(tree);
  remembered.set(tree, found);
  return found;
}

function check(tree: SourceTree): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const edges: Edge[] = [];
  const reached = new Set<string>();
  for (const [file, text] of tree.files) {
    if (!file.endsWith('.ts')) continue;
    if (file.includes('/') && teamOfFile(file) === teamOfFile(rootModule))
      diagnostics.push(source.reservedFolder({ file }, { span: { file, line: 1, column: 1 } }));
    diagnostics.push(...checkText(file, text));
    const scan = scanModule(text);
    if (scan.stopped)
      diagnostics.push(
        source.ambiguousText(
          { what: scan.stopped.what },
          { span: spanAt(file, text, scan.stopped.at, Math.min(text.length, scan.stopped.at + 1)) },
        ),
      );
    for (const word of scan.words) {
      const said = checkWord(file, word, spanAt(file, text, word.start, word.end));
      if (said) diagnostics.push(said);
    }
    for (const site of scan.imports) {
      const span = spanAt(file, text, site.start, site.end);
      const { said, to } = checkImport(tree, file, site, span);
      diagnostics.push(...said);
      if (to === null) continue;
      reached.add(to);
      if (!site.typeOnly && to.endsWith('.ts')) edges.push({ from: file, to, span });
    }
  }
  if (!hasErrors(diagnostics)) {
    for (const cycle of importCycles(edges)) {
      const [first, ...rest] = cycle;
      if (!first) continue;
      diagnostics.push(
        source.cycle(
          { path: [first.from, ...cycle.map((edge) => edge.to)] },
          { span: first.span, related: rest.map((edge) => ({ message: `\`${edge.from}\` imports \`${edge.to}\``, span: edge.span })) },
        ),
      );
    }
  }
  for (const file of tree.files.keys()) {
    if (file.endsWith('.ts') && !isPolicyFile(file) && !isTestFile(file) && !isPublicFile(file) && !reached.has(file)) {
      diagnostics.push(source.unreached({ file }, { span: { file, line: 1, column: 1 } }));
    }
  }
  return diagnostics;
}

/** Directives are looked for in the whole text, strings too: no reader can then be in doubt whether a line is a comment. */
function checkText(file: string, text: string): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const match of text.matchAll(/@ts-(?:nocheck|ignore|expect-error)/gi)) {
    found.push(source.typeDirective({ directive: match[0] }, { span: spanAt(file, text, match.index, match.index + match[0].length) }));
  }
  for (const match of text.matchAll(/\/\/\/\s*<\s*(?:reference|amd)/gi)) {
    found.push(source.referenceDirective({}, { span: spanAt(file, text, match.index, match.index + match[0].length) }));
  }
  return found;
}

function checkWord(file: string, site: WordSite, span: Span): Diagnostic | null {
  switch (site.kind) {
    case 'dynamic-import':
      return source.dynamicImport({}, { span });
    case 'require':
      return source.requireCall({}, { span });
    case 'declare-global':
    case 'declare':
      return source.globalAugmentation({}, { span });
    case 'declare-module':
      return site.word === 'register' && file === rootModule ? null : source.moduleAugmentation({}, { span });
    case 'big-integer':
      return source.bigInteger({ text: site.word }, { span });
    case 'reserved':
      return source.reservedName({ name: site.word }, { span });
  }
}

function checkImport(tree: SourceTree, file: string, site: ImportSite, span: Span): { said: readonly Diagnostic[]; to: string | null } {
  const { specifier } = site;
  const resolution = resolveImport(tree, file, specifier);
  const none = (said: Diagnostic): { said: readonly Diagnostic[]; to: null } => ({ said: [said], to: null });
  if (resolution.kind === 'refused') {
    switch (resolution.why) {
      case 'not-found':
        return none(source.unresolved({ specifier, target: resolution.target }, { span }));
      case 'escapes':
        return none(source.escapes({ specifier }, { span }));
      case 'leaves-team':
        return none(source.leavesTeam({ specifier, from: teamOfFile(file), to: resolution.target }, { span }));
      case 'node':
        return none(source.nodeModule({ specifier }, { span }));
      case 'package':
        return none(source.barePackage({ specifier }, { span }));
      case 'absolute':
        return none(source.absolute({ specifier }, { span }));
      case 'url':
        return none(source.url({ specifier }, { span }));
      case 'testing':
        return none(source.testImport({ specifier }, { span }));
    }
  }
  const json = resolution.kind === 'file' && resolution.json;
  if ((site.attribute === 'json') !== json || site.attribute === 'odd') return none(source.jsonAttribute({ specifier }, { span }));
  if (resolution.kind === 'sdk') return { said: [], to: null };
  const to = resolution.path;
  const said: Diagnostic[] = [];
  if (isTestFile(to)) said.push(source.testImport({ specifier }, { span }));
  const rules = isPolicyFile(to) && !isNounFile(to);
  if (rules && isPublicFile(file)) said.push(source.publicRules({ specifier, target: to }, { span }));
  if (rules && isPolicyFile(file) && isNounFile(file)) said.push(source.nounsImportRules({ specifier, target: to }, { span }));
  return { said, to };
}
