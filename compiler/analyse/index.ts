export { analyse, analysers } from './analyse';
export type { AnalyseInput } from './analyse';
export { planSteps } from './order';
