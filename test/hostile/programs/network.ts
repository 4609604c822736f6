import { FILLS_ITS_SANDBOX, inGVisor, inPods, type Program, RUNTIMES_FILTER, refused, SHARED_USER } from './program.ts';

/** Reaches none of these: what connects prints its address. */
const reaches = (name: string, addresses: readonly (readonly [string, number])[]): Program => ({
  name,
  stoppedBy: 'network namespace',
  source: `
for address in ${JSON.stringify(addresses)}:
    s = socket.socket(socket.AF_INET6 if ':' in address[0] else socket.AF_INET); s.settimeout(0.3)
    if s.connect_ex(tuple(address)) == 0: print(*address)
print('tried')`,
  says: /^tried$/,
});
const SPEAKS_FOR_ITSELF = `${SHARED_USER}, and what it says to the agent is what it may do itself`;
const ADDRESS = 'a pod has an address, which its NetworkPolicy lets nothing pass';
const FLOODED = ['CPU_TIME_EXCEEDED', 'WALL_TIME_EXCEEDED', 'RUNTIME_ERROR'] as const;
const IPV4 = 'socket.AF_INET, socket.SOCK_';

export const NETWORK: Program[] = [
  reaches('the metadata of a cloud', [
    ['169.254.169.254', 80],
    ['fd00:ec2::254', 80],
    ['168.63.129.16', 80],
  ]),
  reaches('the host and its neighbours', [
    ['172.17.0.1', 22],
    ['10.0.0.1', 80],
    ['192.168.0.1', 80],
    ['198.18.244.2', 10250],
    ['10.96.0.1', 443],
  ]),
  reaches('services of the platform', [
    ['127.0.0.1', 7000],
    ['127.0.0.1', 7004],
    ['127.0.0.1', 8080],
    ['127.0.0.1', 4222],
    ['127.0.0.1', 5432],
    ['127.0.0.1', 2375],
    ['::1', 7004],
  ]),
  reaches('the internet', [
    ['1.1.1.1', 443],
    ['8.8.8.8', 53],
    ['2606:4700::1111', 443],
  ]),
  {
    name: 'a datagram for the internet',
    stoppedBy: 'network namespace',
    source:
      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.3)\ntry: s.sendto(b'x', ('8.8.8.8', 53)); print(s.recv(100))\nexcept OSError: print('silence')",
    says: /^silence$/,
  },
  {
    name: 'a name that is looked up',
    stoppedBy: 'network namespace',
    source:
      "os.environ['RES_OPTIONS'] = 'timeout:1 attempts:1'\ntry: print(socket.gethostbyname('example.com'))\nexcept OSError: print('unknown')",
    says: /^unknown$/,
  },
  {
    name: 'sockets of the engine and the host',
    stoppedBy: 'network namespace',
    source:
      "import glob\nnames = ['/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock', '/run/dbus/system_bus_socket', *glob.glob('/run/**/*.sock', recursive=True)]\nnames += ['\\0' + l.split('@')[1].strip() for l in open('/proc/net/unix') if '@' in l]\nfor name in names:\n  try: socket.socket(socket.AF_UNIX).connect(name); print(repr(name))\n  except OSError: pass\nprint('tried')",
    says: /^tried$/,
    elsewhere: {
      ...inPods(SPEAKS_FOR_ITSELF, { says: /^('\\x00drydock-agent'\n)*tried$/ }),
      ...inGVisor(SPEAKS_FOR_ITSELF, { says: /^('\\x00drydock-agent'\n)*tried$/ }),
    },
  },
  refused(
    'raw sockets',
    'capabilities',
    `socket.socket(${IPV4}RAW, 1)`,
    'socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)',
    `socket.socket(${IPV4}RAW, 255)`,
  ),
  refused(
    'packets',
    'seccomp filter',
    'socket.socket(17, socket.SOCK_RAW, 0)',
    'socket.socket(17, socket.SOCK_DGRAM, 0x300)',
  ),
  {
    ...refused(
      'families of sockets that reach hosts and devices',
      'seccomp filter',
      'socket.socket(40, socket.SOCK_STREAM)',
      'socket.socket(38, socket.SOCK_SEQPACKET)',
      'socket.socket(31, socket.SOCK_RAW)',
      'socket.socket(29, socket.SOCK_RAW)',
      'socket.socket(44, socket.SOCK_RAW)',
    ),
    elsewhere: inPods(RUNTIMES_FILTER, { says: /^got <socket.socket .*family=40.*>\n(refused E[A-Z]+\n?){4}$/ }),
  },
  {
    ...refused('the audit’s netlink', 'seccomp filter', 'audit()'),
    source: `
def audit():
    s = socket.socket(16, socket.SOCK_RAW, 9); s.settimeout(1)
    s.send(struct.pack('IHHII', 56, 1001, 5, 1, 0) + struct.pack('IIII', 1, 0, 0, 0) + bytes(24))
    code = struct.unpack('i', s.recv(1000)[16:20])[0]
    if code: raise OSError(-code, '')
attempt(audit)`,
    says: /^refused E(PERM|CONNREFUSED|PROTONOSUPPORT|AFNOSUPPORT|ACCES)$/,
  },
  {
    ...refused(
      'another interface',
      'capabilities',
      "fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack('16sH14s', b'lo', 0, b''))",
      "fcntl.ioctl(os.open('/dev/net/tun', os.O_RDWR), 0x400454ca, struct.pack('16sH22s', b'own', 1, b''))",
    ),
    elsewhere: inGVisor('its kernel knows no such request for a socket', { says: /^refused ENOTTY\nrefused EPERM$/ }),
  },
  {
    name: 'interfaces that it sees',
    stoppedBy: 'network namespace',
    source: 'print(*[n for _, n in socket.if_nameindex()])',
    says: /^lo$/,
    elsewhere: {
      ...inPods(ADDRESS, { says: /^(lo eth0|eth0 lo)$/ }),
      ...inGVisor(ADDRESS, { says: /^(lo eth0|eth0 lo)$/ }),
    },
  },
  {
    name: 'a flood over loopback',
    stoppedBy: 'CPU time',
    source:
      "r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); r.bind(('127.0.0.1', 0))\nwhile True: r.sendto(bytes(60000), r.getsockname())",
    ends: FLOODED,
    elsewhere: inGVisor(FILLS_ITS_SANDBOX, { ends: [...FLOODED, 'MEMORY_EXCEEDED', 'SANDBOX_STOPPED'] }),
    limits: { cpuTime: { seconds: 0, nanos: 3e8 }, wallTime: { seconds: 3, nanos: 0 } },
  },
];
