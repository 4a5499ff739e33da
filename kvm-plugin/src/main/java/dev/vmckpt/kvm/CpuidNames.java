// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.kvm;

import java.util.Map;

/**
 * The names of CPUID's feature bits, as the manuals of Intel and AMD and {@code /proc/cpuinfo} have
 * them; those that are likely to differ between two hosts.
 */
final class CpuidNames {
  private static final String REGISTERS = "abcd";

  /** By leaf.index.register, 32 words from bit 0 on; {@code -} for a bit without a name here. */
  private static final Map<String, String> NAMES =
      Map.of(
          "1.0.c",
          "sse3 pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm"
              + " - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline aes xsave osxsave avx"
              + " f16c rdrand hypervisor",
          "1.0.d",
          "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush -"
              + " dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe",
          "7.0.b",
          "fsgsbase tsc_adjust sgx bmi1 hle avx2 fdp_excptn_only smep bmi2 erms invpcid rtm cqm"
              + " zero_fcs_fds mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma pcommit"
              + " clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl",
          "7.0.c",
          "prefetchwt1 avx512vbmi umip pku ospke waitpkg avx512_vbmi2 shstk gfni vaes vpclmulqdq"
              + " avx512_vnni avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock"
              + " cldemote - movdiri movdir64b enqcmd sgx_lc pks",
          "7.0.d",
          "- - avx512_4vnniw avx512_4fmaps fsrm uintr - - avx512_vp2intersect srbds_ctrl md_clear"
              + " rtm_always_abort - tsx_force_abort serialize hybrid tsxldtrk - pconfig arch_lbr"
              + " ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 spec_ctrl stibp flush_l1d"
              + " arch_capabilities core_capabilities ssbd",
          "7.1.a",
          "sha512 sm3 sm4 - avx_vnni avx512_bf16 - cmpccxadd - - fzrm fsrs fsrc - - - - fred lkgs"
              + " wrmsrns - amx_fp16 hreset avx_ifma - - lam - - - - -",
          "80000001.0.c",
          "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs"
              + " xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb"
              + " - bpext ptsc perfctr_llc mwaitx - -",
          "80000001.0.d",
          "fpu vme de pse tsc msr pae mce cx8 apic - syscall mtrr pge mca cmov pat pse36 - mp nx -"
              + " mmxext mmx fxsr fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow",
          "d.0.a",
          "x87 sse avx bndregs bndcsr avx512_opmask avx512_hi256 avx512_hi16 pt pkru pasid cet_u"
              + " cet_s hdc uintr lbr hwp amx_cfg amx_data - - - - - - - - - - - - -",
          "d.1.a",
          "xsaveopt xsavec xgetbv1 xsaves xfd - - - - - - - - - - - - - - - - - - - - - - - - - -"
              + " -");

  private CpuidNames() {}

  /** Its name where there is one here, else where it stands. */
  static String of(Cpuid.Feature feature) {
    String leaf = Integer.toHexString(feature.function());
    char register = REGISTERS.charAt(feature.register());
    String names = NAMES.get(leaf + "." + feature.index() + "." + register);
    if (names != null) {
      String[] words = names.split(" ", -1);
      if (feature.bit() < words.length && !words[feature.bit()].equals("-")) {
        return words[feature.bit()];
      }
    }
    return "leaf 0x"
        + leaf
        + (feature.index() == 0 ? "" : " index " + feature.index())
        + " e"
        + register
        + "x bit "
        + feature.bit();
  }
}
