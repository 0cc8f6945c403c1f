import { expect, test } from 'vitest';
import { parseEndpoint } from '../../../../daemon/perform/api/connection/endpoint.ts';
import { proxyFor } from '../../../../daemon/perform/api/connection/proxy.ts';

test.each([
  ['https://api.example.com', 'api.example.com', 443, ''],
  ['https://api.example.com/', 'api.example.com', 443, ''],
  ['https://api.example.com/v1', 'api.example.com', 443, ''],
  ['https://api.example.com:8443/cedana/v1/', 'api.example.com', 8443, '/cedana'],
  ['https://[2001:db8::1]/x', '2001:db8::1', 443, '/x'],
  ['http://localhost:8080', 'localhost', 8080, ''],
  ['http://127.1.2.3', '127.1.2.3', 80, ''],
  ['http://[::1]:80', '::1', 80, ''],
])('%s', (url, host, port, basePath) => {
  const tls = url.startsWith('https:');
  expect(parseEndpoint(url)).toMatchObject({ basePath, target: { type: 'tcp', host, port, tls } });
});

test.each(['unix:/run/a.sock', 'unix:///run/a.sock'])('%s', (url) => {
  expect(parseEndpoint(url)).toMatchObject({ basePath: '', target: { type: 'unix', path: '/run/a.sock' } });
});

test.each([
  'http://api.example.com',
  'http://127.0.0.1.example.com',
  'http://localhost.example.com',
  'ftp://localhost',
  'https://user:secret@api.example.com',
  'https://api.example.com/?token=secret',
  'api.example.com',
  'unix:run/a.sock',
])('%s is not taken, and not quoted', (url) => {
  expect(() => parseEndpoint(url)).toThrow(/^api\.url (?!.*(secret|example))/);
});

const endpoint = parseEndpoint('https://api.example.com');
const PROXY = { HTTPS_PROXY: 'http://proxy:3128' };

test.each([
  ['example.com'],
  ['.example.com'],
  ['*.example.com'],
  ['API.Example.com.'],
  ['a.b, api.example.com:443'],
  ['x *'],
])('NO_PROXY=%s leaves the proxy out', (NO_PROXY) => {
  expect(proxyFor(endpoint, { ...PROXY, NO_PROXY })).toBeNull();
});

test.each([[''], ['ple.com'], ['api.example.com:80'], ['other'], ['[::1]:443'], ['::1'], [':']])(
  'NO_PROXY=%s does not',
  (NO_PROXY) => {
    expect(proxyFor(endpoint, { ...PROXY, NO_PROXY })).toMatchObject({ host: 'proxy', port: 3128 });
  },
);

test('which proxy', () => {
  expect(proxyFor(endpoint, {})).toBeNull();
  expect(proxyFor(endpoint, { HTTP_PROXY: 'http://plain' })).toBeNull();
  expect(proxyFor(endpoint, { ...PROXY, https_proxy: 'https://lower' })).toMatchObject({
    host: 'lower',
    port: 443,
    tls: true,
  });
  expect(proxyFor(endpoint, { all_proxy: 'proxy:8080' })).toMatchObject({
    host: 'proxy',
    port: 8080,
    tls: false,
  });
  expect(() => proxyFor(endpoint, { https_proxy: 'socks5://u:secret@s' })).toThrow(/^(?!.*secret)/);
});
