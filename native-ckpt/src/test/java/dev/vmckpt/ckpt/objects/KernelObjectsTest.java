// SPDX-License-Identifier: Apache-2.0
package dev.vmckpt.ckpt.objects;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vmckpt.spi.image.DescriptorImage;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

class KernelObjectsTest {
  @Test
  void everyImageHasExactlyOneCarrier() {
    List<Class<?>> carried = new ArrayList<>();
    for (KernelObject<?> object : KernelObjects.all()) {
      carried.add(object.imageType());
    }
    Set<Class<?>> images =
        new HashSet<>(
            List.of(Objects.requireNonNull(DescriptorImage.class.getPermittedSubclasses())));
    images.remove(DescriptorImage.Connection.class);
    assertThat(carried).containsExactlyInAnyOrderElementsOf(images);
  }

  @Test
  void everyOneHasANameOfItsOwnAndSaysWhatItCarries() {
    Set<String> names = new HashSet<>();
    for (KernelObject<?> object : KernelObjects.all()) {
      assertThat(names.add(object.name())).as(object.name()).isTrue();
      assertThat(object.carries()).isNotBlank();
    }
  }

  @Test
  void oneObjectHasOneStem() {
    for (KernelObject<?> object : KernelObjects.all()) {
      assertThat(object.getClass().getSimpleName()).isEqualTo(object.imageType().getSimpleName());
    }
  }
}
