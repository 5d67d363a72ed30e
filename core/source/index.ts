export { checkTree } from './check';
export { placeAt, spanAt } from './place';
export { resolveImport, type Resolution, type SdkModule } from './resolve';
export { defaultImports, isNounFile, isPolicyFile, isPublicFile, isTestFile, rootModule, rootTeam, sourceTree, teamOfFile, type SourceTree } from './tree';
