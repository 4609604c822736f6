/** What the next program prints where nothing is in its way. */
export const FINE = 'fine\n';

const ORDINARY = `
import ctypes, os, pwd, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def check(what, holds):
    if not holds: print('not fine:', what)
others = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    try: line = open(f'/proc/{pid}/cmdline').read()
    except OSError: continue
    if int(pid) != os.getpid() and not ('drydock' in line.split('\\0')[0] and 'sleep' not in line and line.split('\\0')[1:2] != ['60']): others.append((pid, line))
check(f'others run: {others}', not others)
for path in ('/tmp/own', '/home/user/own', '/dev/shm/own'):
    with open(path, 'wb') as f: check(path, f.write(bytes(1 << 20)) == 1 << 20)
    os.remove(path)
check('memory', len(bytearray(b'x') * (64 << 20)))
check('a child', subprocess.run(['true']).returncode == 0)
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
listener = socket.create_server(('127.0.0.1', 4242))
check('loopback', socket.create_connection(('127.0.0.1', 4242)))
check('its user', os.getuid() != 0 and pwd.getpwuid(os.getuid()).pw_name == 'user')
check('the image', os.path.isfile('/usr/bin/python3') and os.system('true') == 0)
check('64 descriptors', [os.dup(0) for _ in range(64)])
`;

const FRESH = `
left = [os.path.join(t, n) for top in ('/tmp', '/home/user', '/dev/shm', '/dev/mqueue') for t, d, f in os.walk(top) for n in d + f if 'main.py' not in n]
check(f'files are left: {left[:5]}', not [n for n in left if n != os.getcwd()])
for kind in ('shm', 'sem', 'msg'):
    try: check(f'{kind} is left', len(open('/proc/sysvipc/' + kind).readlines()) <= 1)
    except FileNotFoundError: pass
check('names of sockets are left', '@left' not in open('/proc/net/unix').read())
`;

/** An ordinary program, which says what is in its way. `isFresh`: nothing of an earlier one may be there. */
export function nextProgram({ isFresh }: { isFresh: boolean }): string {
  return `${ORDINARY}${isFresh ? FRESH : ''}\nprint('fine')`;
}

/**
 * Removes what an earlier program of the same live sandbox left, as its tenant would: files and objects are the sandbox's own. Fails
 * if it was ended meanwhile, as by a memory that is full of what it removes.
 */
export const CLEANING = `
import ctypes, os, subprocess
libc = ctypes.CDLL(None)
ended = False
for top in ('/tmp', '/home/user', '/dev/shm', '/dev/mqueue'):
    for command in (['chmod', '-R', 'u+rwx', top], ['find', top, '-mindepth', '1', '-delete']):
        ended |= subprocess.run(command, stderr=subprocess.DEVNULL).returncode < 0
for kind, remove in (('shm', lambda n: libc.shmctl(n, 0, None)), ('sem', lambda n: libc.semctl(n, 0, 0)), ('msg', lambda n: libc.msgctl(n, 0, None))):
    try:
        for line in open('/proc/sysvipc/' + kind).readlines()[1:]: remove(int(line.split()[1]))
    except FileNotFoundError: pass
raise SystemExit(ended)
`;
