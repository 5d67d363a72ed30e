import { obtainNft } from './nft';

test('a program that is named and does not run is said, with the repair', async () => {
  await expect(obtainNft({ env: { MESHWRIGHT_NFT: '/nonexistent/nft' } })).rejects.toThrow(
    'nft cannot be had: MESHWRIGHT_NFT names /nonexistent/nft, which does not run; install the package `nftables`, or name the program in MESHWRIGHT_NFT',
  );
});
