/*
 * Executes floating-point operations on the processor it runs on, x86-64 or riscv64: reads records from the
 * file argv[1], writes replies to argv[2]. Operations are numbered as in operations.ts, and instructions
 * are written out, so that no compiler has a say. Flags are RISC-V's: NV 16, DZ 8, OF 4, UF 2, NX 1.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct record { uint32_t width_op; uint32_t rm; uint64_t a, b, c; }; /* width << 8 | op */
struct reply { uint64_t bits; uint32_t flags; uint32_t supported; };

static double d(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
static float f(uint64_t bits) { uint32_t low = bits; float x; memcpy(&x, &low, 4); return x; }
static uint64_t from_d(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }
static uint64_t from_f(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }

#if defined(__x86_64__)

static void begin(uint32_t rm) {
    static const uint32_t control[] = {0, 3, 1, 2};
    uint32_t csr = 0x1f80 | control[rm & 3] << 13;
    __asm__ volatile("ldmxcsr %0" : : "m"(csr));
}

static uint32_t end(void) {
    uint32_t csr, initial = 0x1f80;
    __asm__ volatile("stmxcsr %0" : "=m"(csr));
    __asm__ volatile("ldmxcsr %0" : : "m"(initial));
    return (csr & 1) << 4 | (csr >> 2 & 1) << 3 | (csr >> 3 & 1) << 2 | (csr >> 4 & 1) << 1 | (csr >> 5 & 1);
}

/* x = x op y, in place */
#define TWO(insn) __asm__ volatile(insn " %1, %0" : "+x"(x) : "x"(y)); break
#define TO_INT(insn) __asm__ volatile(insn " %1, %0" : "=r"(out) : "x"(x)); return out
#define FROM_INT(insn, value) __asm__ volatile(insn " %1, %0" : "+x"(x) : "r"(value)); break

static uint64_t f64(uint32_t op, uint64_t a, uint64_t b, uint64_t c, uint32_t *supported) {
    double x = d(a), y = d(b), z = d(c);
    float narrow = 0;
    uint64_t out;
    uint32_t out32;
    switch (op) {
    case 0: TWO("addsd");
    case 1: TWO("subsd");
    case 2: TWO("mulsd");
    case 3: TWO("divsd");
    case 4: __asm__ volatile("sqrtsd %1, %0" : "=x"(x) : "x"(x)); break;
    case 5:
        if (!__builtin_cpu_supports("fma")) return *supported = 0;
        __asm__ volatile("vfmadd213sd %2, %1, %0" : "+x"(x) : "x"(y), "x"(z));
        break;
    case 6: __asm__ volatile("cmpeqsd %1, %0" : "+x"(x) : "x"(y)); return from_d(x) & 1;
    case 7: __asm__ volatile("cmpltsd %1, %0" : "+x"(x) : "x"(y)); return from_d(x) & 1;
    case 8: __asm__ volatile("cmplesd %1, %0" : "+x"(x) : "x"(y)); return from_d(x) & 1;
    case 12: __asm__ volatile("cvtsd2si %1, %0" : "=r"(out32) : "x"(x)); return (int64_t)(int32_t)out32;
    case 13: case 14: TO_INT("cvtsd2si");
    case 16: FROM_INT("cvtsi2sdl", (uint32_t)a);
    case 17: FROM_INT("cvtsi2sdq", a & 0xffffffff);
    case 19: if (a >> 63) return *supported = 0; /* fall through */
    case 18: FROM_INT("cvtsi2sdq", a);
    case 20: __asm__ volatile("cvtsd2ss %1, %0" : "=x"(narrow) : "x"(x)); return from_f(narrow);
    default: return *supported = 0;
    }
    return from_d(x);
}

static uint64_t f32(uint32_t op, uint64_t a, uint64_t b, uint64_t c, uint32_t *supported) {
    float x = f(a), y = f(b), z = f(c);
    double wide = 0;
    uint64_t out;
    uint32_t out32;
    switch (op) {
    case 0: TWO("addss");
    case 1: TWO("subss");
    case 2: TWO("mulss");
    case 3: TWO("divss");
    case 4: __asm__ volatile("sqrtss %1, %0" : "=x"(x) : "x"(x)); break;
    case 5:
        if (!__builtin_cpu_supports("fma")) return *supported = 0;
        __asm__ volatile("vfmadd213ss %2, %1, %0" : "+x"(x) : "x"(y), "x"(z));
        break;
    case 6: __asm__ volatile("cmpeqss %1, %0" : "+x"(x) : "x"(y)); return from_f(x) & 1;
    case 7: __asm__ volatile("cmpltss %1, %0" : "+x"(x) : "x"(y)); return from_f(x) & 1;
    case 8: __asm__ volatile("cmpless %1, %0" : "+x"(x) : "x"(y)); return from_f(x) & 1;
    case 12: __asm__ volatile("cvtss2si %1, %0" : "=r"(out32) : "x"(x)); return (int64_t)(int32_t)out32;
    case 13: case 14: TO_INT("cvtss2si");
    case 16: FROM_INT("cvtsi2ssl", (uint32_t)a);
    case 17: FROM_INT("cvtsi2ssq", a & 0xffffffff);
    case 19: if (a >> 63) return *supported = 0; /* fall through */
    case 18: FROM_INT("cvtsi2ssq", a);
    case 20: __asm__ volatile("cvtss2sd %1, %0" : "=x"(wide) : "x"(x)); return from_d(wide);
    default: return *supported = 0;
    }
    return from_f(x);
}

#elif defined(__riscv)

static void begin(uint32_t rm) { __asm__ volatile("fsrm %0\n fsflags zero" : : "r"(rm)); }

static uint32_t end(void) {
    uint64_t flags;
    __asm__ volatile("frflags %0\n fsrm zero" : "=r"(flags));
    return flags;
}

#define TWO(insn) __asm__ volatile(insn " %0, %1, %2" : "=f"(x) : "f"(x), "f"(y)); break
#define COMPARE(insn) __asm__ volatile(insn " %0, %1, %2" : "=r"(out) : "f"(x), "f"(y)); return out
#define TO_INT(insn) __asm__ volatile(insn " %0, %1" : "=r"(out) : "f"(x)); return out
#define FROM_INT(insn) __asm__ volatile(insn " %0, %1" : "=f"(x) : "r"(a)); break

static uint64_t f64(uint32_t op, uint64_t a, uint64_t b, uint64_t c, uint32_t *supported) {
    double x = d(a), y = d(b), z = d(c);
    float narrow;
    uint64_t out;
    switch (op) {
    case 0: TWO("fadd.d");
    case 1: TWO("fsub.d");
    case 2: TWO("fmul.d");
    case 3: TWO("fdiv.d");
    case 4: __asm__ volatile("fsqrt.d %0, %1" : "=f"(x) : "f"(x)); break;
    case 5: __asm__ volatile("fmadd.d %0, %1, %2, %3" : "=f"(x) : "f"(x), "f"(y), "f"(z)); break;
    case 6: COMPARE("feq.d");
    case 7: COMPARE("flt.d");
    case 8: COMPARE("fle.d");
    case 9: TWO("fmin.d");
    case 10: TWO("fmax.d");
    case 11: __asm__ volatile("fclass.d %0, %1" : "=r"(out) : "f"(x)); return out;
    case 12: TO_INT("fcvt.w.d");
    case 13: TO_INT("fcvt.wu.d");
    case 14: TO_INT("fcvt.l.d");
    case 15: TO_INT("fcvt.lu.d");
    case 16: FROM_INT("fcvt.d.w");
    case 17: FROM_INT("fcvt.d.wu");
    case 18: FROM_INT("fcvt.d.l");
    case 19: FROM_INT("fcvt.d.lu");
    case 20: __asm__ volatile("fcvt.s.d %0, %1" : "=f"(narrow) : "f"(x)); return from_f(narrow);
    default: return *supported = 0;
    }
    return from_d(x);
}

static uint64_t f32(uint32_t op, uint64_t a, uint64_t b, uint64_t c, uint32_t *supported) {
    float x = f(a), y = f(b), z = f(c);
    double wide;
    uint64_t out;
    switch (op) {
    case 0: TWO("fadd.s");
    case 1: TWO("fsub.s");
    case 2: TWO("fmul.s");
    case 3: TWO("fdiv.s");
    case 4: __asm__ volatile("fsqrt.s %0, %1" : "=f"(x) : "f"(x)); break;
    case 5: __asm__ volatile("fmadd.s %0, %1, %2, %3" : "=f"(x) : "f"(x), "f"(y), "f"(z)); break;
    case 6: COMPARE("feq.s");
    case 7: COMPARE("flt.s");
    case 8: COMPARE("fle.s");
    case 9: TWO("fmin.s");
    case 10: TWO("fmax.s");
    case 11: __asm__ volatile("fclass.s %0, %1" : "=r"(out) : "f"(x)); return out;
    case 12: TO_INT("fcvt.w.s");
    case 13: TO_INT("fcvt.wu.s");
    case 14: TO_INT("fcvt.l.s");
    case 15: TO_INT("fcvt.lu.s");
    case 16: FROM_INT("fcvt.s.w");
    case 17: FROM_INT("fcvt.s.wu");
    case 18: FROM_INT("fcvt.s.l");
    case 19: FROM_INT("fcvt.s.lu");
    case 20: __asm__ volatile("fcvt.d.s %0, %1" : "=f"(wide) : "f"(x)); return from_d(wide);
    default: return *supported = 0;
    }
    return from_f(x);
}

#endif

int main(int argc, char **argv) {
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    struct record r;
    if (argc != 3 || !in || !out) return 2;
    while (fread(&r, sizeof r, 1, in) == 1) {
        struct reply reply = {0, 0, 1};
        begin(r.rm);
        reply.bits = (r.width_op >> 8 == 64 ? f64 : f32)(r.width_op & 255, r.a, r.b, r.c, &reply.supported);
        reply.flags = end();
        if (fwrite(&reply, sizeof reply, 1, out) != 1) return 2;
    }
    return fclose(out) != 0;
}
