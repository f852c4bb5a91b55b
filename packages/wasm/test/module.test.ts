import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Code, doWhile, get, i32, i64, ModuleBuilder, seq, set, v128, when, whileLoop } from '../src/index.js';

interface Instance {
  readonly view: DataView;
  readonly memory: WebAssembly.Memory;
  readonly call: Readonly<Record<string, (...args: readonly number[]) => void>>;
}

function instantiate(module: ModuleBuilder, limits: { pages: number; maximum?: number } = { pages: 1 }): Instance {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode(limits)));
  const { memory, ...call } = exports as { memory: WebAssembly.Memory } & Instance['call'];
  return { view: new DataView(memory.buffer), memory, call };
}

/** What an expression of type i64 is. */
function evaluate(expression: Code): bigint {
  const module = new ModuleBuilder();
  module.define('f', 0, () => i64.store(i32.const(0), expression));
  const { view, call } = instantiate(module);
  call.f();
  return view.getBigInt64(0, true);
}

test('constants are what they are at every edge of their encoding', () => {
  const edges = [0, 6, 7, 13, 14, 20, 27, 31, 32, 34, 35, 41, 48, 55, 62, 63].map((bits) => 1n << BigInt(bits));
  for (const edge of edges) {
    for (const value of [edge, edge - 1n, -edge, -edge - 1n, edge + 1n]) {
      const wrapped = BigInt.asIntN(64, value);
      assert.is(evaluate(i64.const(wrapped)), wrapped);
      const small = Number(BigInt.asIntN(32, value));
      const module = new ModuleBuilder();
      module.define('f', 1, (f) => {
        const difference = i32.sub(get(f.parameters[0]), i32.const(small));
        return seq(
          i64.store(i32.const(0), i64.const(1n)),
          whileLoop(difference, seq(i64.store(i32.const(0), i64.const(0n)), set(f.parameters[0], i32.const(small)))),
        );
      });
      const { view, call } = instantiate(module);
      call.f(small);
      assert.is(view.getBigInt64(0, true), 1n, `${small}`);
      call.f(small ^ 1);
      assert.is(view.getBigInt64(0, true), 0n, `${small}`);
    }
  }
});

test('an operation on 64-bit integers does what its name says', () => {
  const [x, y] = [0x7123_4567_89ab_cdefn, -0x0fed_cba9_8765_4321n];
  const of = (operation: (left: Code, right: Code) => Code): bigint => evaluate(operation(i64.const(x), i64.const(y)));
  assert.is(of(i64.add), BigInt.asIntN(64, x + y));
  assert.is(of(i64.sub), BigInt.asIntN(64, x - y));
  assert.is(of(i64.mul), BigInt.asIntN(64, x * y));
  assert.is(of(i64.and), x & y);
  assert.is(of(i64.or), x | y);
  assert.is(evaluate(i64.shl(i64.const(x), 13)), BigInt.asIntN(64, x << 13n));
  assert.is(evaluate(i64.shrS(i64.const(y), 13)), y >> 13n);
  assert.is(evaluate(i64.shrU(i64.const(y), 13)), BigInt.asUintN(64, y) >> 13n);
});

test('loads and stores keep to their width, their sign and their offset', () => {
  const module = new ModuleBuilder();
  module.define('copy', 2, (f) => i64.store32(get(f.parameters[0]), i64.load32(get(f.parameters[1]), 200), 300));
  module.define('digit', 1, (f) => {
    const local = f.local('i32');
    return seq(
      set(local, i32.load16S(get(f.parameters[0]), 2)),
      when(
        i32.ltS(get(local), i32.const(0)),
        i64.store32(i32.const(0), i64.const(-1n)),
        i64.store32(i32.const(0), i64.const(1n)),
      ),
    );
  });
  const { view, call } = instantiate(module);
  view.setInt32(204, -5, true);
  call.copy(8, 4);
  assert.is(view.getInt32(308, true), -5);
  assert.is(view.getInt32(312, true), 0);
  view.setInt16(502, -1, true);
  call.digit(500);
  assert.is(view.getInt32(0, true), -1);
  view.setInt16(502, 0x7fff, true);
  call.digit(500);
  assert.is(view.getInt32(0, true), 1);
});

test('loops and calls: a product by additions, tested before and behind the body', () => {
  const module = new ModuleBuilder();
  const addTo = module.define('addTo', 2, (f) => {
    const [at, from] = f.parameters;
    return i64.store(get(at), i64.add(i64.load32(get(at)), i64.load32(get(from))));
  });
  const less = (count: number): Code => set(count, i32.sub(get(count), i32.const(1)));
  module.define('before', 1, (f) => {
    const [count] = f.parameters;
    return whileLoop(i32.gtS(get(count), i32.const(0)), seq(addTo(i32.const(0), i32.const(8)), less(count)));
  });
  module.define('behind', 1, (f) => {
    const [count] = f.parameters;
    return doWhile(seq(addTo(i32.const(0), i32.const(8)), less(count)), i32.gtS(get(count), i32.const(0)));
  });
  const { view, call } = instantiate(module);
  view.setInt32(8, 7, true);
  for (const [name, count, sum] of [
    ['before', 300, 2100],
    ['before', 0, 0],
    ['behind', 3, 21],
    ['behind', 0, 7],
  ] as const) {
    view.setInt32(0, 0, true);
    call[name](count);
    assert.is(view.getInt32(0, true), sum, `${name} ${count}`);
  }
  assert.throws(() => addTo(i32.const(0)), /addTo takes 2 arguments/);
});

test('addresses are computed by 32-bit operations', () => {
  const module = new ModuleBuilder();
  module.define('f', 2, (f) => {
    const [a, b] = f.parameters.map(get);
    return i64.store32(i32.add(i32.mul(a, i32.const(24)), i32.shl(b, i32.const(3))), i64.const(9n));
  });
  const { view, call } = instantiate(module);
  call.f(5, 3);
  assert.is(view.getInt32(5 * 24 + 3 * 8, true), 9);
});

test('vectors work word by word', () => {
  const module = new ModuleBuilder();
  const at = (offset: number): Code => v128.load(i32.const(0), offset);
  const results = [
    v128.and(at(0), at(16)),
    v128.or(at(0), at(16)),
    v128.xor(at(0), at(16)),
    v128.add(at(0), at(16)),
    v128.shl(at(0), 5),
    v128.shrU(at(0), 5),
    v128.loadSplat(i32.const(0), 20),
    v128.shuffle([4, 5, 6, 7, 0, 1, 2, 3, 28, 29, 30, 31, 16, 17, 18, 19], at(0), at(16)),
  ];
  module.define('f', 0, (f) => {
    const kept = f.locals('v128', results.length);
    return seq(
      ...results.map((value, i) => set(kept[i], value)),
      ...kept.map((local, i) => v128.store(i32.const(0), get(local), 64 + 16 * i)),
    );
  });
  const { memory, call } = instantiate(module);
  const words = new Uint32Array(memory.buffer);
  const [a, b] = [
    [0xffff_ffff, 0x8000_0001, 0x1234_5678, 7],
    [1, 0x8000_0000, 0x0f0f_0f0f, 0xffff_fff9],
  ];
  words.set([...a, ...b]);
  call.f();
  const wanted = [
    a.map((word, i) => word & b[i]),
    a.map((word, i) => word | b[i]),
    a.map((word, i) => word ^ b[i]),
    a.map((word, i) => word + b[i]),
    a.map((word) => word << 5),
    a.map((word) => word >>> 5),
    a.map(() => b[1]),
    [a[1], a[0], b[3], b[0]],
  ];
  wanted.forEach((list, i) => {
    assert.equal([...words.subarray(16 + 4 * i, 20 + 4 * i)], [...Uint32Array.from(list)], `result ${i}`);
  });
});

test('a module imports nothing, exports what was defined, and its memory grows up to its maximum', () => {
  const module = new ModuleBuilder();
  module.define('first', 0, () => []);
  module.define('zweite', 3, () => []);
  const bytes = module.encode({ pages: 130, maximum: 131 });
  assert.equal(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []);
  assert.equal(
    WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name, kind }) => `${kind} ${name}`),
    ['memory memory', 'function first', 'function zweite'],
  );
  const { memory } = instantiate(module, { pages: 130, maximum: 131 });
  assert.is(memory.buffer.byteLength, 130 * 65_536);
  memory.grow(1);
  assert.throws(() => memory.grow(1));
  assert.is(instantiate(module, { pages: 1 }).memory.grow(200), 1);
});

test.run();
