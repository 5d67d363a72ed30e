export { readDirectory } from './directory';
export { readCommit, type CommitPlace } from './commit';
export { limits } from './limits';
export { sourceTree, type SourceTree } from '../../core/source';
