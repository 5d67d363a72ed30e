import type { Any } from '@bufbuild/protobuf/wkt';
import type { Fault } from '../../../../core/ir/ir';
import { HTTPFaultSchema } from '../../../../core/wire/gen/envoy/extensions/filters/http/fault/v3/fault_pb';
import { FractionalPercent_DenominatorType } from '../../../../core/wire/gen/envoy/type/v3/percent_pb';
import { ms, pack } from '../any';

/** In millionths. Envoy draws a mirror with the number that chooses among weighted clusters; of a million, the two are independent of each other. */
export const share = (percent: number) => ({
  numerator: Math.round(percent * 10_000),
  denominator: FractionalPercent_DenominatorType.MILLION,
});

/** The filter of every listener where requests start: it does nothing where a route says nothing. */
export const noFault: Any = pack(HTTPFaultSchema, {});

/** Envoy draws for delay and abort apart, and waits first. */
export function faultConfig({ delay, abort }: Fault): Any {
  return pack(HTTPFaultSchema, {
    ...(delay ? { delay: { faultDelaySecifier: { case: 'fixedDelay', value: ms(delay.ms) }, percentage: share(delay.percent) } } : {}),
    ...(abort
      ? {
          abort: {
            errorType: { case: abort.kind === 'http' ? 'httpStatus' : 'grpcStatus', value: abort.status },
            percentage: share(abort.percent),
          },
        }
      : {}),
    disableDownstreamClusterStats: true,
  });
}
