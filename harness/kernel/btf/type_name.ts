/** A type as C writes it. */
import {
  type Btf,
  KIND_ARRAY,
  KIND_CONST,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_UNION,
  KIND_VAR,
  KIND_VOLATILE,
} from "./btf.ts";

/** Types in one name, at most: BTF may be hostile. */
const MAX_DEPTH = 16;

/** `struct task_struct *`, `char[16]`, `u64`. */
export function typeName(btf: Btf, type: number, depth = 0): string {
  if (depth > MAX_DEPTH) return "…";
  const of = (inner: number) => typeName(btf, inner, depth + 1);
  const name = btf.name(type);
  switch (btf.kind(type)) {
    case KIND_PTR:
      return of(btf.target(type)).replace(/([^*])$/, "$1 ") + "*";
    case KIND_ARRAY:
      return `${of(btf.arrayElement(type))}[${btf.arrayLength(type)}]`;
    case KIND_STRUCT:
      return `struct ${name || "{…}"}`;
    case KIND_FWD:
      return `struct ${name}`;
    case KIND_UNION:
      return `union ${name || "{…}"}`;
    case KIND_ENUM:
    case KIND_ENUM64:
      return `enum ${name || "{…}"}`;
    case KIND_CONST:
      return `const ${of(btf.target(type))}`;
    case KIND_VOLATILE:
      return `volatile ${of(btf.target(type))}`;
    case KIND_RESTRICT:
    case KIND_TYPE_TAG:
    case KIND_VAR:
      return of(btf.target(type));
    case KIND_FUNC_PROTO:
      return "function";
    default:
      return name;
  }
}
