#!/usr/bin/env python3
"""Gleaner archive, edition 1: checks it without Gleaner.

    python3 verify.py [--key PUBLIC_KEY_FILE]... [DIRECTORY]

DIRECTORY holds `evidence/`; the default is where this file lies. Needs Python 3.8, zstd, and for signatures ssh-keygen (OpenSSH 8.2).
Each --key names a .pub or allowed_signers file that you got from elsewhere; without one, signatures are checked only against the key
that each names itself. Prints what is wrong and where. Exit status: 0 all as it should be, 2 usage, 3 something is wrong.
"""
import argparse, base64, functools, hashlib, json, os, re, shutil, struct, subprocess, sys, tempfile
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('--key', action='append', default=[], metavar='PUBLIC_KEY_FILE')
parser.add_argument('directory', nargs='?', default=os.path.dirname(os.path.abspath(__file__)))
args = parser.parse_args()
evidence = os.path.join(args.directory, 'evidence')
counts = dict(sources=0, segments=0, bytes=0, digests=0, findings=0)
sha256 = lambda data: hashlib.sha256(data).hexdigest()
chain_of = lambda previous, link: sha256(f"{previous}\n{link['start']}\n{link['end']}\n{link['sha256']}\n".encode())
path_of = lambda key: os.path.join(args.directory, *key.split('/'))

def wrong(key, problem, expected=None, found=None):
    counts['findings'] += 1
    print(f'{key}: {problem}' + ('' if expected is found is None else f': expected {expected}, found {found}'))
def same(key, problem, expected, found):
    if expected != found: wrong(key, problem, expected, found)
def guarded(key, check, *arguments):
    try: check(*arguments)
    except Exception as error: wrong(key, f'it is damaged ({error!r})')

def names(*parts):
    """The names in a directory below evidence/ in order; without drafts, which begin with a dot."""
    directory = os.path.join(evidence, *parts)
    return sorted(n for n in os.listdir(directory) if not n.startswith('.')) if os.path.isdir(directory) else []

def header_of(key):
    """The JSON in the skippable frame that an object begins with; None where the object is not there or is damaged."""
    try:
        with open(path_of(key), 'rb') as file:
            magic, size = struct.unpack('<II', file.read(8))
            header = json.loads(file.read(size)) if magic == 0x184D2A50 else None
        return header if header['start'] <= header['end'] and header['v'] == 1 else wrong(key, 'its header is damaged')
    except FileNotFoundError: return None
    except Exception: return wrong(key, 'its header is damaged')

def check_object(key, root, source, start):
    """An object against its own header: its place, its length and its SHA-256. Its raw bytes stream through zstd."""
    header = header_of(key)
    if header is None: return None
    same(key, 'place', [root, source, start], [header['root'], header['source'], header['start']])
    process = subprocess.Popen(['zstd', '-dcq', path_of(key)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    digest, length = hashlib.sha256(), 0
    for piece in iter(lambda: process.stdout.read(1 << 20), b''): digest.update(piece); length += len(piece)
    if process.wait() != 0: wrong(key, 'it does not decompress')
    same(key, 'length', header['end'] - header['start'], length)
    same(key, 'sha256', header['sha256'], digest.hexdigest())
    counts['bytes'] += length
    return header

@functools.lru_cache(maxsize=16)
def boundary_of(root, source):
    """What remains of expired segments: the boundary with the largest end; None where nothing expired."""
    found = names('boundaries', root, source)
    if not found: return None
    key, chain, end = f'evidence/boundaries/{root}/{source}/{found[-1]}', source, 0
    boundary = json.load(open(path_of(key)))
    for link in boundary['segments']:
        same(key, 'segment start', end, link['start'])
        chain, end = chain_of(chain, link), link['end']
    for name, is_so in dict(root=root, source=source, end=end, chain=chain).items(): same(key, name, is_so, boundary[name])
    same(key, 'beginning', boundary['beginning']['sha256'], sha256(base64.b64decode(boundary['beginning']['bytes'])))
    return dict(boundary, by_start={link['start']: link['sha256'] for link in boundary['segments']})

def check_source(root, source):
    counts['sources'] += 1
    boundary = boundary_of(root, source)
    end, chain = (boundary['end'], boundary['chain']) if boundary else (0, source)
    for name in names('segments', root, source):
        key = f'evidence/segments/{root}/{source}/{name}'
        start = int(name[:16]) if re.fullmatch(r'\d{16}\.zst', name) else -1
        counts['segments'], header = counts['segments'] + 1, check_object(key, root, source, start)
        if boundary and start < boundary['end']:  # left by an expiry that was interrupted
            same(key, 'sha256 in its boundary', boundary['by_start'].get(start), header and header['sha256'])
            continue
        if end is not None and start != end: wrong(f'evidence/segments/{root}/{source}', 'bytes missing or twice', end, start)
        if header is None: end = chain = None; continue
        if chain is not None and start == end: same(key, 'previous chain', chain, header['previousChain'])
        same(key, 'chain', chain_of(header['previousChain'], header), header['chain'])
        end, chain = header['end'], header['chain']

def check_item(item, kind):
    """What a digest says of an object, against the object; or against the boundary of its source, where it expired."""
    key = item['key']
    if not re.fullmatch(r'evidence(/[^/.][^/]*)+', key): raise ValueError(f'{key!r} is no key')
    root, source = key.split('/')[2:4]
    if os.path.exists(path_of(key)):
        if kind in ('anomalies', 'expired'): return same(key, 'sha256 in its digest', item['sha256'], sha256(open(path_of(key), 'rb').read()))
        header = header_of(key)
        for name in ('family', 'path', 'start', 'end', 'lines', 'firstTime', 'lastTime', 'sha256', 'chain') if header else ():
            if name in item: same(key, f'{name} in its digest', item[name], header.get(name))
        return
    boundary = boundary_of(root, source) if kind != 'anomalies' else None
    if not boundary or boundary['end'] < item['end']: wrong(key, 'missing; a digest names it')
    elif kind == 'segments': same(key, 'sha256 in its boundary', item['sha256'], boundary['by_start'].get(item['start']))

def check_signature(key, allowed):
    signature = path_of(key)[:-4] + 'sig'
    if not os.path.exists(signature): return wrong(key, 'it has no signature')
    how = ['verify', '-f', allowed, '-I', 'gleaner'] if allowed else ['check-novalidate']
    with open(path_of(key), 'rb') as file:
        ran = subprocess.run(['ssh-keygen', '-Y', *how, '-n', 'gleaner-digest', '-s', signature], stdin=file, capture_output=True)
    if ran.returncode != 0: wrong(key, 'its signature is not good' + (' by a key that was given' if allowed else ''))

def check_digest(key, n, data, previous):
    digest = json.loads(data)
    same(key, 'n', n, digest['n'])
    if previous or n == 1: same(key, 'previous', previous, digest['previous'])
    for kind in ('segments', 'revisions', 'anomalies', 'expired'):
        for item in digest[kind]: guarded(key, check_item, item, kind)
    ends = {(item['key'].split('/')[3], item['end']): item['chain'] for item in digest['segments']}
    for head in digest['heads']: same(key, f"head of {head['source']}", ends.get((head['source'], head['end'])), head['chain'])
def check_digests(allowed):
    expected, previous = 1, None
    for name in names('digests'):
        if not re.fullmatch(r'\d{16}\.json', name): continue
        key, n = f'evidence/digests/{name}', int(name[:16])
        data = open(path_of(key), 'rb').read()
        if n != expected: wrong(f'evidence/digests/{expected:016d}.json', 'missing'); previous = None
        guarded(key, check_digest, key, n, data, previous)
        if shutil.which('ssh-keygen'): check_signature(key, allowed)
        counts['digests'] += 1
        expected, previous = n + 1, sha256(data)

if not os.path.isdir(evidence): parser.error(f'{evidence} is no directory')
if not shutil.which('zstd') or (args.key and not shutil.which('ssh-keygen')): parser.error('zstd, and ssh-keygen for --key, are needed')
keys = [key for file in args.key for key in re.findall(r'^(?:[^#\n]*\s)?(ssh-ed25519 +[A-Za-z0-9+/=]+)', open(file).read(), re.M)]
if args.key and not keys: parser.error('--key names no ssh-ed25519 key')
for root in sorted({*names('segments'), *names('boundaries')}):
    for source in sorted({*names('segments', root), *names('boundaries', root)}):
        guarded(f'evidence/segments/{root}/{source}', check_source, root, source)
    for source in names('revisions', root):
        for name in names('revisions', root, source):
            key = f'evidence/revisions/{root}/{source}/{name}'
            guarded(key, lambda: check_object(key, root, source, int(name[:16])))
with tempfile.NamedTemporaryFile('w') as allowed:
    allowed.writelines(f'gleaner {key}\n' for key in keys); allowed.flush()
    check_digests(allowed.name if keys else None)
if counts['digests'] and not keys: print('note: without --key nobody vouches for the keys that signed', file=sys.stderr)
print(', '.join(f'{count} {what}' for what, count in counts.items()))
sys.exit(3 if counts['findings'] else 0)
