/** IP addresses as policies write them: one spelling for one address. */

const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const v4 = new RegExp(`^${octet}(?:\\.${octet}){3}$`);

/** Whether a text is an IPv4 address in dotted decimal, or an IPv6 address in the form of RFC 5952 (without an embedded IPv4 address). */
export function isIpAddress(text: string): boolean {
  return v4.test(text) || isIpv6(text);
}

/** Whether an address in that form is one of IPv4 as it comes where IPv6 is spoken (RFC 4291 section 2.5.5.2), which is written as IPv4. */
export const isMapped = (address: string): boolean => /^::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/.test(address);

function isIpv6(text: string): boolean {
  const parts = text.split('::');
  if (!/^[0-9a-f:]+$/.test(text) || parts.length > 2) return false;
  const [head = [], tail = []] = parts.map((part) => (part === '' ? [] : part.split(':')));
  const groups = [...head, ...tail];
  if (groups.some((group) => !/^(?:0|[1-9a-f][0-9a-f]{0,3})$/.test(group))) return false;
  if (parts.length === 1 ? groups.length !== 8 : groups.length > 6) return false;
  const missing = Array.from({ length: 8 - groups.length }, () => '0');
  return shortest([...head, ...missing, ...tail]) === text;
}

/** RFC 5952 section 4.2: the longest run of zeros, the first of equal ones, is `::`; a single zero is not shortened. */
function shortest(groups: readonly string[]): string {
  let best = { at: 0, length: 1 };
  for (let at = 0; at < groups.length; at += 1) {
    let length = 0;
    while (groups[at + length] === '0') length += 1;
    if (length > best.length) best = { at, length };
  }
  if (best.length === 1) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`;
}
