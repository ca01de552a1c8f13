/**
 * The state machine of line number programs: each step gives one row, "from this address on, this line". The same
 * machine makes the index of all sequences and looks up one address in one of them.
 *
 * Format: DWARF 5, §6.2.2 and §6.2.5.
 */
import type { Cursor } from "./cursor.ts";
import type { LineHeader } from "./line_header.ts";

// Standard opcodes
const DW_LNS_extended = 0;
const DW_LNS_copy = 1;
const DW_LNS_advance_pc = 2;
const DW_LNS_advance_line = 3;
const DW_LNS_set_file = 4;
const DW_LNS_set_column = 5;
const DW_LNS_const_add_pc = 8;
const DW_LNS_fixed_advance_pc = 9;

// Extended opcodes
const DW_LNE_end_sequence = 1;
const DW_LNE_set_address = 2;
const ADDRESS_BYTES = 8;

/** Runs one unit's program. Every step consumes bytes, so it ends where they do. */
export class LineMachine {
  /** Of the row: canonical address as a signed number (see {@linkcode Cursor.address}). */
  address = 0;
  /** Of the row: number of the file. */
  file = 1;
  /** Of the row: line, from 1; 0 when the code belongs to none. */
  line = 1;
  /** Of the row: column, from 1; 0 when unknown. */
  column = 0;
  /** Whether the row ends the sequence: its address is the first that no longer belongs to it. */
  ended = true;

  /** Begins at the cursor, which must be at the beginning of a sequence. */
  constructor(private readonly cursor: Cursor, private readonly header: LineHeader) {}

  /** Runs to the next row. Returns false at the end. @throws {DwarfError} when the program is damaged. */
  next(): boolean {
    const { cursor, header } = this;
    if (this.ended) this.#reset();
    while (cursor.at < cursor.end) {
      const opcode = cursor.u8();
      if (opcode >= header.opcodeBase) {
        const adjusted = opcode - header.opcodeBase;
        this.address += Math.floor(adjusted / header.lineRange) * header.minInstructionBytes;
        this.line += header.lineBase + adjusted % header.lineRange;
        return true;
      }
      switch (opcode) {
        case DW_LNS_extended:
          if (this.#extended()) return true;
          break;
        case DW_LNS_copy:
          return true;
        case DW_LNS_advance_pc:
          this.address += cursor.uleb() * header.minInstructionBytes;
          break;
        case DW_LNS_advance_line:
          this.line += cursor.sleb();
          break;
        case DW_LNS_set_file:
          this.file = cursor.uleb();
          break;
        case DW_LNS_set_column:
          this.column = cursor.uleb();
          break;
        case DW_LNS_const_add_pc:
          this.address += Math.floor((255 - header.opcodeBase) / header.lineRange) *
            header.minInstructionBytes;
          break;
        case DW_LNS_fixed_advance_pc:
          this.address += cursor.u16();
          break;
        default:
          for (let i = header.argumentCounts[opcode]; i > 0; i--) cursor.uleb();
      }
    }
    return false;
  }

  /** Whether it ended the sequence. */
  #extended(): boolean {
    const { cursor } = this;
    const length = cursor.uleb();
    const next = cursor.at + length;
    if (length === 0) return false;
    const opcode = cursor.u8();
    if (opcode === DW_LNE_end_sequence) this.ended = true;
    else if (opcode === DW_LNE_set_address && length === ADDRESS_BYTES + 1) this.address = cursor.address();
    cursor.skip(next - cursor.at);
    return this.ended;
  }

  #reset(): void {
    this.address = 0;
    this.file = 1;
    this.line = 1;
    this.column = 0;
    this.ended = false;
  }
}
