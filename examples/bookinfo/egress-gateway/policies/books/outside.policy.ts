import { anyone, external, https, mongo, never, tls } from 'meshwright/policy';
import { egress } from '#platform';
import { details, productpage, ratings } from './services.policy';

// Details speak HTTP as far as the gateway: it reads each request, makes the TLS, and verifies whom it reaches.
export const googleBooks = external('google-books', {
  team: 'books',
  hosts: ['www.googleapis.com'],
  ports: { api: https(443, { requests: ['GET /books/v1/volumes'] }) },
  through: egress,
});
export const detailsAskGoogle = googleBooks.ports.api.allow({ from: details, requests: ['GET /books/v1/volumes'] });

// The page makes this TLS itself, and nobody on the way opens it: what is decided is who may connect, to which name.
export const news = external('news', {
  team: 'books',
  hosts: ['edition.cnn.com', 'www.cnn.com'],
  ports: { web: tls(443) },
  through: egress,
});
export const pageReadsNews = news.ports.web.allow({ from: productpage, sni: ['edition.cnn.com'] });

// Ratings in a database that somebody else runs: of TCP one host is a port.
export const ratingsStore = external('ratings-store', {
  team: 'books',
  hosts: ['ratings.mongo.example'],
  ports: { mongo: mongo(27017) },
  through: egress,
});
export const ratingsAreStored = ratingsStore.ports.mongo.allow({ from: ratings });
export const storeIsPrivate = never({ from: anyone.except(ratings), to: ratingsStore });
