/** Numbers of system calls on x86-64 and on others, by name. */
const SYSTEM_CALLS = {
  acct: [163, 89],
  add_key: [248, 217],
  adjtimex: [159, 171],
  bpf: [321, 280],
  clock_settime: [227, 112],
  clone: [56, 220],
  clone3: [435, 435],
  delete_module: [176, 106],
  fanotify_init: [300, 262],
  finit_module: [313, 273],
  fsopen: [430, 430],
  init_module: [175, 105],
  io_uring_setup: [425, 425],
  ioperm: [173, -1],
  iopl: [172, -1],
  kcmp: [312, 272],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  landlock_create_ruleset: [444, 444],
  lookup_dcookie: [212, 18],
  memfd_secret: [447, 447],
  modify_ldt: [154, -1],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  move_pages: [279, 239],
  name_to_handle_at: [303, 264],
  nfsservctl: [180, 42],
  open_by_handle_at: [304, 265],
  open_tree: [428, 428],
  perf_event_open: [298, 241],
  pidfd_getfd: [438, 438],
  pidfd_send_signal: [424, 424],
  pivot_root: [155, 41],
  prlimit64: [302, 261],
  process_madvise: [440, 440],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  ptrace: [101, 117],
  quotactl: [179, 60],
  reboot: [169, 142],
  request_key: [249, 218],
  sched_setattr: [314, 274],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  setns: [308, 268],
  settimeofday: [164, 170],
  swapoff: [168, 225],
  swapon: [167, 224],
  syslog: [103, 116],
  tgkill: [234, 131],
  umount2: [166, 39],
  unshare: [272, 97],
  uselib: [134, -1],
  userfaultfd: [323, 282],
  ustat: [136, -1],
  vhangup: [153, 58],
} as const;

/** What every hostile program has: the C library, system calls by name, and ways to say what came of an attempt. */
export const PRELUDE = `
import ctypes, errno, fcntl, mmap, os, platform, resource, signal, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = ${JSON.stringify(SYSTEM_CALLS)}
NULL = ctypes.c_void_p(0)
ROOM = ctypes.create_string_buffer(4096)

def checked(result):
    if result == -1: raise OSError(ctypes.get_errno(), '')
    return result

def call(name, *arguments):
    number = NUMBERS[name][platform.machine() != 'x86_64']
    return checked(libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]))

def attempt(what):
    try: print('got', what())
    except OSError as error: print('refused', errno.errorcode.get(error.errno, error.errno), flush=True)

def exhaust(what, most=1_000_000):
    kept = []
    try:
        while len(kept) < most: kept.append(what())
        said = 'and no end'
    except OSError as error: said = 'then ' + errno.errorcode.get(error.errno, str(error.errno))
    # With no descriptor and no process left, what is open already has to do.
    os.write(1, f'{len(kept)}, {said}\\n'.encode())
    os._exit(0)

def fork(child):
    pid = os.fork()
    if pid: return pid
    try: child()
    finally: os._exit(0)

def forever(what):
    while True:
        try: what()
        except OSError: pass

def hold(): signal.pause()
`;
