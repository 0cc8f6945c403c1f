declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';

  /** CommonJS: `module.exports` is the class (undici 8.12.4). */
  export default Client;
}
