import * as v from 'valibot';
import { parseEndpoint } from './api-url.ts';
import { block, key } from './block.ts';
import { absolutePath, type Bound, duration, flag, listOf, oneOf, parsed, text } from './fields.ts';

export const NOTICE_PROVIDERS = ['auto', 'ec2', 'gcp', 'azure', 'alibaba', 'file', 'logind'] as const;

/** Link-local in most clouds: the hypervisor itself answers, without a name or a route. */
const LINK_LOCAL = 'http://169.254.169.254';

function endpoint(fallback: string) {
  const url = v.pipe(text('an http: or https: URL', /^https?:\/\/\S+$/, 2048), parsed(parseEndpoint));
  return key('Base URL.', url, fallback);
}

function timeout(atMost: Bound, fallback: string) {
  const length = duration({ atLeast: ['100ms', 'a busy host answers late'], atMost });
  return key('How long one request may take.', length, fallback);
}

const ec2 = block({
  endpoint: endpoint(LINK_LOCAL),
  poll: key(
    'How often spot notices are asked for.',
    duration({ atLeast: ['2s', 'the service throttles'], atMost: ['1m', 'a notice comes 120s ahead'] }),
    '2s',
  ),
  poll_others: key(
    'How often rebalance recommendations, the lifecycle state and scheduled events are asked for.',
    duration({ atLeast: ['5s', 'the service throttles'], atMost: ['10m', 'they would be seen too late'] }),
    '30s',
  ),
  timeout: timeout(['30s', 'a notice comes 120s ahead'], '2s'),
  scheduled_lead: key(
    'From this long before their start scheduled events (retirement, reboot, maintenance) are terminations; until then, worth one checkpoint.',
    duration({
      atLeast: ['1m', 'the jobs have to be saved'],
      atMost: ['365d', 'no event is known that early'],
    }),
    '2h',
  ),
});

const gcp = block({
  endpoint: endpoint(LINK_LOCAL),
  wait: key(
    'How long the server holds an answer that has not changed.',
    duration({
      atLeast: ['1s', 'this is no poll'],
      atMost: ['10m', 'a lost connection would go unnoticed'],
    }),
    '1m',
  ),
  timeout: timeout(['20s', 'a notice comes 30s ahead'], '2s'),
});

const azure = block({
  endpoint: endpoint(LINK_LOCAL),
  poll: key(
    'How often scheduled events are asked for.',
    duration({
      atLeast: ['1s', 'Azure asks for no more'],
      atMost: ['20s', 'an eviction comes 30s ahead'],
    }),
    '2s',
  ),
  timeout: timeout(['20s', 'an eviction comes 30s ahead'], '5s'),
  first_timeout: key(
    'The same before the first answer: the service starts when it is asked for the first time.',
    duration({
      atLeast: ['1s', 'the service takes its time to start'],
      atMost: ['1h', 'it is up in minutes'],
    }),
    '5m',
  ),
  start_requests: key(
    'Tell Azure to go ahead as soon as all jobs are saved, instead of waiting for the deadline.',
    flag(),
    false,
  ),
});

const alibaba = block({
  endpoint: endpoint('http://100.100.100.200'),
  poll: key(
    'How often the time of release is asked for.',
    duration({ atLeast: ['1s', 'the service throttles'], atMost: ['2m', 'a notice comes 300s ahead'] }),
    '5s',
  ),
  timeout: timeout(['30s', 'a notice comes 300s ahead'], '2s'),
});

export const noticesSchema = block({
  providers: key(
    'Who tells of a termination. auto: file, logind, and whichever of the others is found. Empty: nobody.',
    v.pipe(
      listOf(oneOf(NOTICE_PROVIDERS), NOTICE_PROVIDERS.length),
      v.check((names) => new Set(names).size === names.length, 'has an entry twice'),
      v.metadata({ uniqueItems: true }),
    ),
    ['auto'],
  ),
  drain_node: key('Drain this node in Slurm when a notice comes.', flag(), true),
  detect_timeout: key(
    'How long `auto` waits for a metadata service at each look: at the start, and where nobody was found after 1, 5 and 30 minutes more.',
    duration({
      atLeast: ['100ms', 'a busy host answers late'],
      atMost: ['1m', 'who is elsewhere is not watched meanwhile'],
    }),
    '1s',
  ),
  file: key('A file that tells of a termination by being there.', absolutePath(), '/run/ckptd/terminate'),
  file_poll: key(
    'How often the file is looked for, beside being told of it by the kernel.',
    duration({ atLeast: ['100ms', 'a look costs time'], atMost: ['1h', 'it would be seen too late'] }),
    '10s',
  ),
  ec2: key('The metadata service of AWS EC2.', ec2, {}),
  gcp: key('The metadata server of Google Cloud.', gcp, {}),
  azure: key('The metadata service of Azure.', azure, {}),
  alibaba: key('The metadata service of Alibaba Cloud.', alibaba, {}),
});
