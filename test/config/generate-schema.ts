import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { fileSchema } from '../../daemon/config/schema/file-schema.ts';
import { engineFileSchema } from '../../daemon/engine/config/schema.ts';

/**
 * `config/schema.json`: what an editor can know of ckptd.yaml. Made anew by
 * `node test/config/generate-schema.ts > config/schema.json`.
 */
export function schemaText(): string {
  return jsonSchemaText('ckptd.yaml', fileSchema);
}

/** The engine's: `node test/config/generate-schema.ts engine > config/engine-schema.json`. */
export function engineSchemaText(): string {
  return jsonSchemaText('engine.yaml', engineFileSchema);
}

function jsonSchemaText(title: string, of: GenericSchema): string {
  const schema = toJsonSchema(of, {
    target: 'draft-2020-12',
    typeMode: 'input',
    // What these check has no words in JSON Schema; the daemon checks it.
    ignoreActions: ['check', 'raw_check', 'max_bytes'],
  });
  return `${JSON.stringify({ $schema: schema.$schema, title, ...schema }, null, 2)}\n`;
}

if (import.meta.main) process.stdout.write(process.argv[2] === 'engine' ? engineSchemaText() : schemaText());
