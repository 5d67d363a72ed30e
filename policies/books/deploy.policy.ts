import { githubActions, group } from 'meshwright/policy';
import { bookinfo, reviews } from './services.policy';

// The team's own pipeline, or whoever is on call; images of the company's registry, pinned.
export const booksDeploy = bookinfo.deploys({
  by: [githubActions({ repository: 'acme/books', branch: 'main', environment: 'production' }), group('sre-oncall')],
  images: { from: ['ghcr.io/acme/'], digest: 'required' },
  only: ['prod'],
});
// Reviews write to a store that the first versions corrupt: nobody goes back.
export const reviewsForward = reviews.deploys({
  by: [githubActions({ repository: 'acme/books', branch: 'main' }), group('sre-oncall')],
  version: { min: '1.4.0', below: '2.0.0', downgrade: 'deny' },
  only: ['prod'],
});
