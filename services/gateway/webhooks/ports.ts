/** The first and the last port of a range. */
export type PortRange = readonly [first: number, last: number];

/** Where web servers listen. Others are those of mail, databases and the like, and a caller who may try all of them scans ports. */
export const WEB_PORTS = '80,443,8080,8443';

/** Reads a port such as `443` or a range such as `8000-8999`; throws where it is none. */
export function parsePorts(text: string): PortRange {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const range = [Number(first), Number(last)] as const;
  if (!(range[0] >= 1 && range[0] <= range[1] && range[1] <= 65_535)) throw new Error(`'${text}' is no port`);
  return range;
}

export function allowsPort(allowed: readonly PortRange[], port: number): boolean {
  return allowed.some(([first, last]) => port >= first && port <= last);
}

export function describePorts(allowed: readonly PortRange[]): string {
  return allowed.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}
