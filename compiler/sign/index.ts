export { signBundle, signerClient, unsignedBundle, type SignerClient, type Unsigned } from './client';
export { generateKeys, readKeyRing, retireKey, rotateKey, type KeyFiles, type KeyPurpose } from './keys';
export { serveSigner, type RunningSigner, type SignerConfig } from './server';
