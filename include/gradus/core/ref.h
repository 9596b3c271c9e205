// An intrusive reference-counted pointer: one word wide, no control block.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <utility>

namespace gradus {

template <class T>
class Ref;
template <class T, class... Args>
Ref<T> make_ref(Args&&... args);

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) {}
  RefCounted& operator=(const RefCounted&) { return *this; }

  std::uint32_t use_count() const { return count_.load(std::memory_order_relaxed); }

 private:
  template <class T>
  friend class Ref;
  template <class T, class... Args>
  friend Ref<T> make_ref(Args&&... args);
  mutable std::atomic<std::uint32_t> count_{0};
};

// T derives from RefCounted and is destroyed by `ref_destroy(T*)`, found by name lookup, when the last Ref goes.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* p) : p_(p) { acquire(); }
  Ref(const Ref& o) : p_(o.p_) { acquire(); }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U>
  requires std::convertible_to<U*, T*> Ref(const Ref<U>& o) : p_(o.get()) { acquire(); }
  ~Ref() { drop(); }
  Ref& operator=(const Ref& o) {
    Ref(o).swap(*this);
    return *this;
  }
  Ref& operator=(Ref&& o) noexcept {
    Ref(std::move(o)).swap(*this);
    return *this;
  }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }
  void reset() { Ref().swap(*this); }
  void swap(Ref& o) noexcept { std::swap(p_, o.p_); }

 private:
  template <class U, class... Args>
  friend Ref<U> make_ref(Args&&... args);
  void acquire() {
    if (p_) p_->count_.fetch_add(1, std::memory_order_relaxed);
  }
  void drop() {
    if (p_ == nullptr) return;
    // The only owner need not count down: nobody is left who could copy it meanwhile.
    if (p_->count_.load(std::memory_order_acquire) == 1 || p_->count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      ref_destroy(p_);
    }
  }

  T* p_ = nullptr;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
  Ref<T> ref;
  ref.p_ = new T(std::forward<Args>(args)...);
  ref.p_->count_.store(1, std::memory_order_relaxed);  // nobody else has seen it yet
  return ref;
}

}  // namespace gradus
