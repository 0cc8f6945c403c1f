import * as v from 'valibot';
import { block, key, optionalKey, requiredKey } from '../../config/schema/block.ts';
import {
  absolutePath,
  count,
  groupName,
  listOf,
  oneOf,
  parsed,
  socketMode,
  socketPath,
  text,
  uuidText,
} from '../../config/schema/fields.ts';
import { LOG_LEVELS, NODE_NAME } from '../../config/schema/file-schema.ts';
import { COMPRESSIONS } from '../manifest.ts';
import { parseListen } from './listen-address.ts';
import { badScratch } from './scratch.ts';

const socket = block({
  path: key('Where ckptd and the SPANK plugin find the engine.', socketPath(), '/run/ckptd-engine/api.sock'),
  mode: key('Permissions in octal digits.', socketMode(), '0600'),
  group: key('Group that owns the socket.', groupName(), 'root'),
});

const slurm = block({
  node: optionalKey(
    'Name of this node in Slurm. Default: the host name up to its first dot.',
    text('a node name', NODE_NAME, 64),
  ),
  bin: key('Folder of squeue and scontrol.', absolutePath(), '/usr/bin'),
  conf: key(
    'slurm.conf of this cluster. On a configless node, which has none at the default place, Slurm finds its own.',
    absolutePath(),
    '/etc/slurm/slurm.conf',
  ),
});

/** A folder that is emptied, filled or searched as root: never a whole file system. */
const folder = () =>
  v.pipe(
    absolutePath(),
    v.check((path) => /[^/]/.test(path), 'must be a folder, not the root of all'),
    v.check((path) => !path.split('/').includes('..'), 'must not hold ..'),
  );

const scratchFolder = () =>
  v.pipe(
    folder(),
    v.rawCheck(({ dataset, addIssue }) => {
      const problem = dataset.typed ? badScratch(dataset.value) : null;
      if (problem !== null) addIssue({ message: problem });
    }),
  );

/** /etc/ckptd/engine.yaml. The output still has the file's names. */
export const engineFileSchema = block({
  cluster_id: requiredKey('UUID of this cluster, the same as in ckptd.yaml.', uuidText()),
  dir: requiredKey(
    "Where checkpoints are kept: an existing folder of root's own on a file system that all nodes share.",
    folder(),
  ),
  keep: key('So many newest checkpoints of a job stay.', count(1, 100), 3),
  compress: key(
    'zstd: smaller images, for some time of a CPU, where the memory is one that shrinks; none: as CRIU writes them.',
    oneOf(COMPRESSIONS),
    'zstd',
  ),
  scratch: key(
    "Node-local folders; kind rootfs carries along what the job's owner has in them. %j is the job's id.",
    listOf(scratchFolder(), 100),
    [],
  ),
  criu: key('Program of CRIU, 4.0 or later.', absolutePath(), '/usr/sbin/criu'),
  socket: key('The Unix socket of the engine.', socket, {}),
  listen: optionalKey(
    'host:port to serve the API on TCP as well, without TLS; needs token_file. Default: off.',
    v.pipe(text('host:port such as 127.0.0.1:8043', /^\S+$/, 300), parsed(parseListen)),
  ),
  token_file: optionalKey('File with the bearer token that TCP asks for; for root alone.', absolutePath()),
  slurm: key('Slurm on this node.', slurm, {}),
  policies: key(
    "ckptd's configuration, whose policies say which jobs come back after a requeue (resume). Without the file: all.",
    absolutePath(),
    '/etc/ckptd/ckptd.yaml',
  ),
  work_dir: key(
    'Local folder for images while they are taken and restored.',
    folder(),
    '/var/lib/ckptd-engine',
  ),
  run_dir: key('Folder of marks that must not outlive a reboot.', folder(), '/run/ckptd-engine'),
  helper: optionalKey('Program ckptd-criu. Default: the one beside ckptd-engine.', absolutePath()),
  log: key(
    'The log, on standard error.',
    block({ level: key('Least level.', oneOf(LOG_LEVELS), 'info') }),
    {},
  ),
});

export type EngineFileData = v.InferOutput<typeof engineFileSchema>;
