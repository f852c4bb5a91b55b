import type { Desk } from './fixture.js';

/** A safetensors file of 32-bit tensors with these shapes, whose bytes are all `fill`. */
export function safetensors(shapes: Readonly<Record<string, readonly number[]>>, fill = 0): Uint8Array {
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((product, n) => product * n, 1) * 4;
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + size] };
    at += size;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return new Uint8Array(Buffer.concat([length, json, Buffer.alloc(at, fill)]));
}

const INDEX = { weight_map: { 'a.weight': 'model-1.safetensors', 'b.weight': 'model-2.safetensors' } };

/** The files of a small Hugging Face style model in two shards: 2·3 + 4 parameters. */
export function huggingFaceFiles(): Record<string, string | Uint8Array> {
  return {
    'config.json': JSON.stringify({ model_type: 'tiny', architectures: ['TinyForCausalLM'], torch_dtype: 'float32' }),
    'generation_config.json': JSON.stringify({
      temperature: 0.7,
      top_p: 0.9,
      max_new_tokens: 64,
      do_sample: true,
      eos_token_id: [1, 2],
      transformers_version: '5.0.0',
    }),
    'tokenizer_config.json': JSON.stringify({ tokenizer_class: 'TinyTokenizer' }),
    'model.safetensors.index.json': JSON.stringify(INDEX),
    'model-1.safetensors': safetensors({ 'a.weight': [2, 3] }),
    'model-2.safetensors': safetensors({ 'b.weight': [4] }),
    'README.md': '---\nlicense: apache-2.0\nbase_model: acme/base\n---\n# Tiny\n',
  };
}

/** Writes files below a folder. */
export function writeAll(desk: Desk, folder: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [name, content] of Object.entries(files)) desk.write(`${folder}/${name}`, content);
  return folder;
}
