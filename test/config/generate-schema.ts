import { toJsonSchema } from '@valibot/to-json-schema';
import { fileSchema } from '../../daemon/config/file-schema.ts';

/**
 * `config/schema.json`: what an editor can know of ckptd.yaml. Made anew by
 * `node test/config/generate-schema.ts > config/schema.json`.
 */
export function schemaText(): string {
  const schema = toJsonSchema(fileSchema, {
    target: 'draft-2020-12',
    typeMode: 'input',
    // What these check has no words in JSON Schema; the daemon checks it.
    ignoreActions: ['check', 'raw_check', 'max_bytes'],
  });
  return `${JSON.stringify({ $schema: schema.$schema, title: 'ckptd.yaml', ...schema }, null, 2)}\n`;
}

if (import.meta.main) process.stdout.write(schemaText());
