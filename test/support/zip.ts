import { crc32, deflateRawSync } from 'node:zlib';

/** A file in a zip: its bytes, and what of its headers is other than usual. */
export type ZipFile = {
  data: Buffer | string;
  /** Mode of Unix, such as 0o120777 for a symbolic link. */
  mode?: number;
  /** What the headers say it has when it is unpacked. */
  claimedBytes?: number;
  /** As the headers say; the data is packed in any case. */
  method?: number;
  crc?: number;
  /** Bit 0 means encrypted. */
  flags?: number;
};

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const DEFLATED = 8;
const UNIX = 3;

/** A zip of files by name, in this order. Later entries of an array may have the name of earlier ones. */
export function zipOf(
  files: Record<string, string | Buffer | ZipFile> | [string, string | Buffer | ZipFile][],
): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, given] of Array.isArray(files) ? files : Object.entries(files)) {
    const file: ZipFile = typeof given === 'string' || Buffer.isBuffer(given) ? { data: given } : given;
    const data = Buffer.from(file.data as string);
    const packed = deflateRawSync(data);
    const path = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE((file.flags ?? 0) | 0x800, 2);
    common.writeUInt16LE(file.method ?? DEFLATED, 4);
    common.writeUInt32LE(file.crc ?? crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(file.claimedBytes ?? data.length, 18);
    common.writeUInt16LE(path.length, 22);
    const signature = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      return bytes;
    };
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(((file.mode ?? 0o100644) << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    central.push(signature(CENTRAL), Buffer.from([63, UNIX]), common, rest, path);
    const local = Buffer.concat([signature(LOCAL), common, path, packed]);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const count = central.length / 5;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END);
  end.writeUInt16LE(count & 0xffff, 8);
  end.writeUInt16LE(count & 0xffff, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}
