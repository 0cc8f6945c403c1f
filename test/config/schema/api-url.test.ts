import { expect, test } from 'vitest';
import { parseApiUrl } from '../../../daemon/config/schema/api-url.ts';

test.each([
  ['https://api.example.com', 'https://api.example.com'],
  ['https://api.example.com/', 'https://api.example.com'],
  ['https://api.example.com/v1', 'https://api.example.com'],
  ['https://api.example.com/v1/', 'https://api.example.com'],
  ['https://api.example.com/cedana/v1', 'https://api.example.com/cedana'],
  ['https://api.example.com/v2', 'https://api.example.com/v2'],
  ['HTTPS://API.Example.com:443', 'https://api.example.com'],
  ['api.example.com', 'https://api.example.com'],
  ['api.example.com:8443/v1', 'https://api.example.com:8443'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['http://127.9.8.7', 'http://127.9.8.7'],
  ['http://localhost:1/', 'http://localhost:1'],
  ['http://[::1]:8080', 'http://[::1]:8080'],
])('%s is served at %s', (text, base) => {
  expect(parseApiUrl(text)).toEqual({ url: base, base, socketPath: null });
});

test.each([
  ['unix:/run/ckptd-engine/api.sock', '/run/ckptd-engine/api.sock'],
  ['unix:///run/api.sock', '/run/api.sock'],
])('%s is the socket %s', (text, socketPath) => {
  expect(parseApiUrl(text)).toEqual({ url: `unix:${socketPath}`, base: 'http://localhost', socketPath });
});

test.each([
  '',
  'http://example.com',
  'http://127.0.0.1.example.com',
  'http://localhost.example.com',
  'http://[::2]',
  'http://0.0.0.0',
  'ftp://example.com',
  'file:///etc/passwd',
  'https://user@example.com',
  'https://:pw@example.com',
  'https://example.com/?q',
  'https://example.com/#f',
  'https://exa mple.com',
  'https://example.com\n',
  'https://',
  'unix:',
  'unix:relative',
  'unix://host/path',
  'unix:/',
  `unix:/${'a'.repeat(107)}`,
])('%j is refused', (text) => {
  expect(parseApiUrl(text)).toEqual({ refused: expect.any(String) });
});
