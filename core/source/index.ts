export { checkTree } from './check';
export { placeAt } from './place';
export { resolveImport } from './resolve';
export { scanModule } from './scan';
export { isPolicyFile, isTestFile, rootModule, sourceTree, teamOfFile, type SourceTree } from './tree';
