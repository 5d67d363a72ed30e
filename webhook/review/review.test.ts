import { parseReview, ReviewError } from './review';
import { deadlineOf } from './timeout';

const request = {
  uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
  kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
  resource: { group: 'apps', version: 'v1', resource: 'deployments' },
  subResource: 'scale',
  name: 'web',
  namespace: 'shop',
  operation: 'UPDATE',
  userInfo: { username: 'ann', uid: '1', groups: ['a', 'b'], extra: { k: ['v'] } },
  object: { metadata: { labels: { constructor: 'x' } } },
  oldObject: { metadata: {} },
  dryRun: true,
  options: {},
};
const review = (change: Record<string, unknown> = {}, outer: Record<string, unknown> = {}): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { ...request, ...change }, ...outer }),
  );

describe('a review', () => {
  it('is read with what rules need', () => {
    expect(parseReview(review())).toEqual({
      uid: request.uid,
      operation: 'UPDATE',
      kind: request.kind,
      resource: request.resource,
      subresource: 'scale',
      name: 'web',
      namespace: 'shop',
      user: { username: 'ann', groups: ['a', 'b'], extra: new Map([['k', ['v']]]) },
      dryRun: true,
      object: request.object,
      oldObject: request.oldObject,
    });
  });
  it('11: DELETE has no object, CONNECT neither; what is absent is absent', () => {
    const { object: _object, dryRun: _dryRun, subResource: _sub, name: _name, ...rest } = request;
    const bare = new TextEncoder().encode(
      JSON.stringify({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: { ...rest, operation: 'DELETE', object: null },
      }),
    );
    expect(parseReview(bare)).toMatchObject({ operation: 'DELETE', object: null, subresource: '', name: '', dryRun: false });
    expect(parseReview(review({ operation: 'CONNECT', object: { kind: 'PodExecOptions' }, oldObject: null }))).toMatchObject({
      operation: 'CONNECT',
      oldObject: null,
    });
  });
  it.each<[string, unknown]>([
    ['an older version', { apiVersion: 'admission.k8s.io/v1beta1', kind: 'AdmissionReview', request }],
    ['another kind', { apiVersion: 'admission.k8s.io/v1', kind: 'ConversionReview', request }],
    ['no request', { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }],
    ['a response', { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: '1', allowed: true } }],
    ['a list', [{ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }]],
    ['null', null],
    ['a text', 'AdmissionReview'],
  ])('3: %s is no review', (_what, body) => {
    expect(() => parseReview(new TextEncoder().encode(JSON.stringify(body)))).toThrow(ReviewError);
  });
  it.each<[string, Record<string, unknown>]>([
    ['uid', { uid: '' }],
    ['uid', { uid: 7 }],
    ['operation', { operation: 'PATCH' }],
    ['operation', { operation: 'constructor' }],
    ['kind', { kind: 'Pod' }],
    ['resource', { resource: null }],
    ['userInfo', { userInfo: undefined }],
    ['groups', { userInfo: { username: 'a', groups: 'system:masters' } }],
    ['groups', { userInfo: { username: 'a', groups: [1] } }],
    ['extra', { userInfo: { username: 'a', extra: { k: 'v' } } }],
    ['dryRun', { dryRun: 'yes' }],
    ['object', { object: [] }],
    ['oldObject', { oldObject: 'x' }],
    ['namespace', { namespace: 3 }],
  ])('3: a wrong `%s` is refused by name', (name, change) => expect(() => parseReview(review(change))).toThrow(name));
  it('6: a member twice is refused', () => {
    const text = new TextDecoder().decode(review()).replace('"uid":', '"uid":"other","uid":');
    expect(() => parseReview(new TextEncoder().encode(text))).toThrow('it has a key twice');
  });
});

describe('8: the time for an answer', () => {
  it.each([
    ['10s', 8_000, 8_000],
    ['1s', 8_000, 850],
    ['1.5s', 8_000, 1_350],
    ['500ms', 8_000, 350],
    ['1m30s', 100_000, 89_850],
    ['100ms', 8_000, 50],
    ['', 8_000, 8_000],
    ['soon', 8_000, 8_000],
    ['-1s', 8_000, 8_000],
    ['0s', 8_000, 8_000],
    [undefined, 8_000, 8_000],
    [['1s', '2s'], 8_000, 8_000],
    ['9'.repeat(40), 8_000, 8_000],
  ])('%j with at most %d ms is %d ms', (timeout, most, wanted) => expect(deadlineOf(timeout, most)).toBe(wanted));
});
