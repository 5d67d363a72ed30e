import { internet, never, anyone } from 'meshwright/policy';
import { ingress } from '#platform';
import { details, productpage, ratings, reviews } from './services.policy';

export const readersSeePages = productpage.ports.http.allow({
  from: internet.through(ingress),
  requests: ['GET /productpage', 'GET /static/{file...}', 'POST /login', 'GET /logout'],
});
export const pageReadsDetails = details.ports.http.allow({ from: productpage, requests: ['GET /details/{id}'] });
export const pageReadsReviews = reviews.ports.http.allow({ from: productpage, requests: ['GET /reviews/{id}'] });
export const reviewsReadRatings = ratings.ports.http.allow({ from: reviews, requests: ['GET /ratings/{id}'] });
export const ratingsArePrivate = never({ from: anyone.except(reviews), to: ratings });
