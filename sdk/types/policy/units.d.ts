/** `500ms`, `2s`, `5m`, `1h`. `check` refuses what `${number}` lets through: `-5s`, `1e3s`, `0x10s`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h'}`;
/** `10%`, `0.5%`. */
export type Percent = `${number}%`;
/** `100/s`, `5000/m`, `1000000/d`. */
export type Rate = `${number}/${'s' | 'm' | 'h' | 'd'}`;
/** `2027-01-31`. */
export type IsoDate = `${number}-${number}-${number}`;
/** `1.4.0`. */
export type SemVer = `${number}.${number}.${number}`;
export type HttpsUrl = `https://${string}`;
export type Cidr = `${number}.${number}.${number}.${number}/${number}` | `${string}:${string}/${number}`;
/** `GET /reviews/{id}`, `* /public/{rest...}`: a method, a space, a path template. One line is one request class, so there is no cross product of methods and paths. */
export type RequestLine =
  `GET /${string}` | `HEAD /${string}` | `POST /${string}` | `PUT /${string}` | `PATCH /${string}` | `DELETE /${string}` | `* /${string}`;
/** `books.v1.Reviews/Get`. */
export type GrpcMethod = `${string}.${string}/${string}`;
export type NonEmpty<T> = readonly [T, ...T[]];
export type OneOrMore<T> = T | NonEmpty<T>;
/** At least one of T's fields is given. For small closed types only: on a rule it doubles the check time (see AtLeastOneCondition). */
export type AtLeastOne<T> = { [K in keyof T]-?: T & { readonly [P in K]-?: NonNullable<T[K]> } }[keyof T];
