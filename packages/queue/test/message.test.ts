import { createRegistry, type Plugin } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { queueAddress, withoutSecrets } from "../src/address.js";
import { pack, unpack } from "../src/codec.js";
import { idOf, isTooOld, protocol, readMessage, Refusal, tasksByName, type Message } from "../src/message.js";

const versions = { finitewidth: "1.2.3", backend: "wasm" };
const message: Message = { protocol, task: "a#b", versions, chunk: "", shared: [] };
const through = (value: unknown): unknown => {
  const { bytes, shared } = pack(value);
  return unpack(bytes, shared);
};

describe("data of messages", () => {
  it("arrive bit for bit: numbers of every kind, arrays small and large, nested", () => {
    const large = Float64Array.from({ length: 5000 }, (_, i) => Math.sin(i) / 3);
    const value = {
      numbers: [0.1 + 0.2, 1, 2 ** 40, -7, 5e-324, Infinity, -Infinity, 1 / 3],
      arrays: [Float64Array.of(-0, 1 / 3, NaN), new Float32Array([0.1]), Int32Array.of(-5), Uint32Array.of(2 ** 31), Uint8Array.of(255)],
      deep: { text: "ψ", none: null, yes: true, list: [[1], [], [{ large }]] },
      large,
    };
    expect(through(value)).toEqual(value);
    expect(Object.is(through(-0), -0)).toBe(true);
    expect(through(NaN)).toBeNaN();
    expect(through({ left: undefined, kept: 1 })).toEqual({ kept: 1 });
    // a view of part of a buffer takes the part
    expect(through(large.subarray(10, 13))).toEqual(large.slice(10, 13));
  });

  it("share their large arrays by hash, with whatever else has them", () => {
    const large = Float64Array.from({ length: 5000 }, (_, i) => i);
    const [one, other] = [pack({ large, a: 1 }), pack({ b: [large, large] })];
    expect([...one.shared.keys()]).toEqual([...other.shared.keys()]);
    expect(one.bytes.byteLength).toBeLessThan(100);
    expect(() => unpack(one.bytes, new Map())).toThrow("an array is missing");
    expect(unpack(one.bytes, one.shared)).toEqual({ large, a: 1 });
    expect(unpack(pack({ large }, true).bytes, new Map())).toEqual({ large });
  });

  it("do not reach prototypes, and have an end", () => {
    for (const key of ["__proto__", "constructor", "prototype"]) {
      const bytes = Buffer.concat([Buffer.of(0x81, 0xa0 + key.length), Buffer.from(key), Buffer.of(0xc0)]);
      expect(() => unpack(bytes, new Map()), key).toThrow("not allowed");
    }
    // a list that says it has 2³² − 1 entries; an extension of no kind
    expect(() => unpack(Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff), new Map())).toThrow();
    expect(() => unpack(Buffer.of(0xd4, 0x00, 0x01), new Map())).toThrow("an array of no kind that is known");
    expect(() => pack(new Float64Array(9 * 2 ** 20))).toThrow("73 MiB is more than the 64 MiB");
  });
});

describe("messages", () => {
  const refused = (change: object): string => {
    try {
      readMessage({ ...message, ...change }, versions);
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal);
      return (error as Error).message;
    }
    return "";
  };

  it("are read when they are for these versions", () => {
    expect(readMessage(message, { ...versions, more: "1" })).toEqual(message);
    expect(refused({ protocol: 2 })).toContain("speaks protocol 2, this worker 1: use the same version of finitewidth");
    expect(refused({ versions: { ...versions, finitewidth: "1.2.4" } })).toBe("it needs finitewidth 1.2.4; this worker has 1.2.3");
    expect(refused({ versions: { ...versions, "my-plugin": "1" } })).toBe("it needs my-plugin 1; this worker has none");
    expect(refused({ versions: { toString: "1" } })).toContain("this worker has none");
  });

  it("are refused when anything is amiss", () => {
    expect(refused({ module: "file:///x" })).toContain('unknown key "module"');
    expect(refused(JSON.parse('{"a":1}') as object)).toContain("unknown key");
    expect(refused({ task: 3 })).toContain("task");
    expect(refused({ task: "x".repeat(201) })).toContain("task");
    expect(refused({ versions: [] })).toContain("versions");
    expect(refused({ chunk: 3 })).toContain("chunk");
    expect(refused({ chunk: "A".repeat(9e7) })).toContain("at most 64 MiB");
    expect(refused({ shared: ["../x"] })).toContain("hashes");
    expect(refused({ versions: JSON.parse('{"__proto__":"1"}') as object })).toContain("__proto__");
    for (const data of [null, "text", [1]]) expect(() => readMessage(data, versions)).toThrow("no message");
    expect(() => readMessage(JSON.parse('{"__proto__":{}}'), versions)).toThrow("__proto__ is not allowed");
  });

  it("are waited for a day", () => {
    const made = Date.UTC(2026, 0, 1);
    const hours = (count: number): number => made + count * 3_600_000;
    expect([0, 0.1, 3, 23.9, 24.1, 100].map((count) => isTooOld(made, hours(count)))).toEqual([false, false, false, false, true, true]);
  });

  it("have an id for what they compute", () => {
    expect(idOf(message)).toBe(idOf({ ...message }));
    const others = [{ task: "a#c" }, { chunk: "gA==" }, { versions: { ...versions, backend: "native" } }];
    expect(new Set([message, ...others.map((change) => ({ ...message, ...change }))].map(idOf)).size).toBe(4);
  });

  it("name tasks that plug-ins declare, and no others", () => {
    const task = { module: "file:///m.js", name: "t", run: () => 1 };
    const plugin: Plugin = { name: "p", module: "file:///p.js", tasks: [task] };
    const names = tasksByName(createRegistry([plugin]).plugins, { more: [{ ...task, name: "u" }] });
    expect([...names.keys()]).toEqual(["p#t", "more#u"]);
    for (const name of ["t", "p", "p#u", "__proto__", "constructor"]) expect(names.get(name)).toBeUndefined();
  });
});

describe("addresses", () => {
  it("take users, passwords, databases and TLS from the URL or the environment, and show no secrets", () => {
    expect(queueAddress("redis://host", {})).toEqual({ host: "host", port: 6379, db: 0, shown: "redis://host:6379/0" });
    expect(queueAddress("rediss://me:p%40ss@host:7000/3", {})).toEqual({
      host: "host",
      port: 7000,
      username: "me",
      password: "p@ss",
      db: 3,
      tls: { servername: "host" },
      shown: "rediss://host:7000/3",
    });
    const environment = { FINITEWIDTH_QUEUE_USERNAME: "you", FINITEWIDTH_QUEUE_PASSWORD: "secret" };
    expect(queueAddress("redis://[::1]:7000", environment)).toMatchObject({ host: "::1", username: "you", password: "secret" });
    expect(withoutSecrets("finitewidth run --queue redis://me:p/w@host x")).not.toContain("p/w@");
    expect(withoutSecrets("--queue=redis://:secret@host:1/2")).toBe("--queue=redis://…@host:1/2");
  });

  it("are refused with the field and without the password", () => {
    for (const text of ["host:6379", "http://host", "redis://", "redis://host/x", "redis://host?a=1", "redis://u:secret@host/x"]) {
      expect(() => queueAddress(text, {}), text).toThrow("--queue: expected redis://host[:port][/database]");
      expect(() => queueAddress(text, {}), text).not.toThrow("secret");
    }
  });
});
