/** The load of `bench:routes` as a process of its own, so that it has a core of its own: plan and turns come by IPC, the report goes back. */
import { routedLoad, type RoutedLoad, type RoutedLoadPlan } from '../test/kit/routed-load';

export type ToLoad =
  | { readonly kind: 'start'; readonly plan: RoutedLoadPlan }
  | { readonly kind: 'right'; readonly right: 'plain' | 'turned' | 'either' }
  | { readonly kind: 'stop' };

if (require.main === module) {
  let load: RoutedLoad | null = null;
  process.once('disconnect', () => process.exit());
  process.on('message', (message: ToLoad) => {
    if (message.kind === 'start') load = routedLoad(message.plan);
    else if (message.kind === 'right') {
      load?.set(message.right);
      process.send?.('noted'); // what is sent from now on is judged by it
    } else void load?.stop().then((report) => process.send?.(report, () => process.exit()));
  });
}
