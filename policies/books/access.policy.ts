import { anyone, internet, never } from 'meshwright/policy';
import { reporter } from '#orders';
import { edge } from '#platform';
import { details, productpage, ratings, reviews } from './services.policy';

export const publicPage = productpage.ports.web.allow({ from: internet.through(edge), requests: ['GET /productpage'] });
export const pageReadsReviews = reviews.ports.web.allow({ from: productpage, requests: ['GET /reviews/{id}'] });
export const pageReadsDetails = details.ports.web.allow({ from: productpage, requests: ['GET /details/{id}'] });
export const reviewsReadRatings = ratings.ports.web.allow({ from: reviews, requests: ['GET /ratings/{id}'] });
export const reporterReadsDetails = details.ports.web.allow({ from: reporter, requests: ['GET /details/{id}'] }); // the answer to the need in orders/
export const ratingsArePrivate = never({ from: anyone.except(reviews), to: ratings });
