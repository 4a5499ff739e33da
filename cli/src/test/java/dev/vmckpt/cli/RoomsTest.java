// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.cli;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Holds the arrows between the rooms of the house. */
class RoomsTest {
  private static final String[] CARRIERS = {
    "dev.vmckpt.ckpt..",
    "dev.vmckpt.host..",
    "dev.vmckpt.qemu..",
    "dev.vmckpt.kvm..",
    "dev.vmckpt.libvirt..",
    "dev.vmckpt.hwemulator.."
  };

  private static JavaClasses classes = new ClassFileImporter().importClasses();

  @BeforeAll
  static void read() {
    classes =
        new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.vmckpt");
  }

  @Test
  void allRoomsWereRead() {
    Set<String> rooms = new TreeSet<>();
    for (JavaClass each : classes) {
      rooms.add(each.getPackageName().replaceAll("dev\\.vmckpt\\.(\\w+).*", "$1"));
    }
    assertThat(rooms)
        .contains(
            "spi", "ckpt", "host", "hwemulator", "libvirt", "qemu", "qmp", "kvm", "store", "cli");
  }

  @Test
  void theClientOfMonitorsStandsOnItsOwn() {
    noClasses()
        .that()
        .resideInAPackage("dev.vmckpt.qmp..")
        .should()
        .dependOnClassesThat(
            resideInAPackage("dev.vmckpt..").and(resideOutsideOfPackage("dev.vmckpt.qmp..")))
        .check(classes);
  }

  @Test
  void theContractsKnowNobody() {
    noClasses()
        .that()
        .resideInAPackage("dev.vmckpt.spi..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(with(CARRIERS, "dev.vmckpt.cli..", "dev.vmckpt.store.."))
        .check(classes);
  }

  @Test
  void carriersDoNotKnowEachOther() {
    for (String room : CARRIERS) {
      List<String> others = new ArrayList<>(List.of("dev.vmckpt.cli..", "dev.vmckpt.store.."));
      for (String other : CARRIERS) {
        if (!other.equals(room)) {
          others.add(other);
        }
      }
      noClasses()
          .that()
          .resideInAPackage(room)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(others.toArray(new String[0]))
          .allowEmptyShould(true)
          .check(classes);
    }
  }

  @Test
  void theStoreDoesNotKnowTheCommandLine() {
    noClasses()
        .that()
        .resideInAPackage("dev.vmckpt.store..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.vmckpt.cli..", "picocli..")
        .check(classes);
  }

  @Test
  void nativeCallsAreMadeInOneRoom() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.vmckpt.ckpt.raw..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("com.sun.jna..")
        .check(classes);
  }

  /** It calls by JNA itself; whoever uses it does not. */
  @Test
  void libvirtIsKnownInOneRoom() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.vmckpt.libvirt..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.libvirt..")
        .check(classes);
  }

  @Test
  void theCommandLineEntersTheCheckpointerByItsFrontDoor() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.vmckpt.cli..", "dev.vmckpt.store..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.vmckpt.ckpt.raw..",
            "dev.vmckpt.ckpt.trace..",
            "dev.vmckpt.ckpt.task..",
            "dev.vmckpt.ckpt.objects..",
            "dev.vmckpt.ckpt.snapshot..",
            "dev.vmckpt.ckpt.restore..")
        .check(classes);
  }

  @Test
  void theRoomsBehindTheCommandLineFormNoCircle() {
    slices().matching("dev.vmckpt.(*)..").should().beFreeOfCycles().check(classes);
  }

  @Test
  void everyPackageSaysWhatItIsFor() {
    Set<String> packages = new TreeSet<>();
    Set<String> described = new TreeSet<>();
    for (JavaClass each : classes) {
      packages.add(each.getPackageName());
      if (each.getSimpleName().equals("package-info")) {
        described.add(each.getPackageName());
      }
    }
    assertThat(described).containsAll(packages);
  }

  private static String[] with(String[] some, String... more) {
    List<String> all = new ArrayList<>(List.of(some));
    all.addAll(List.of(more));
    return all.toArray(new String[0]);
  }
}
