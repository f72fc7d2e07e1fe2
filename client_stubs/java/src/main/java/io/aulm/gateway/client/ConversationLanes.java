package io.aulm.gateway.client;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.Executor;

/**
 * Runs tasks at the same time up to a bound, one after the other within a lane, and otherwise the oldest first: with a
 * bound of one, in the order in which they came. Tasks must not fail. Thread-safe; no lock is held while a task runs.
 */
final class ConversationLanes {
  private record Task(long number, Runnable run, Runnable dropped) {}

  private record Lane(String name, Deque<Task> waiting) {
    long oldest() {
      return waiting.getFirst().number;
    }
  }

  private final Executor executor;
  private final int concurrency;
  private final int capacity;
  private final Map<String, Lane> lanes = new HashMap<>(); // those with a task that runs or waits
  private final PriorityQueue<Lane> ready = new PriorityQueue<>(Comparator.comparingLong(Lane::oldest));
  private long added;
  private int running;
  private int tasks;
  private boolean stopped;

  ConversationLanes(Executor executor, int concurrency, int capacity) {
    this.executor = executor;
    this.concurrency = concurrency;
    this.capacity = capacity;
  }

  /** Takes a task; waits until there is room. After {@link #stop} it is {@code dropped} in place of {@code run}. */
  void add(String name, Runnable run, Runnable dropped) throws InterruptedException {
    if (!take(name, run, dropped)) {
      dropped.run();
    }
  }

  private synchronized boolean take(String name, Runnable run, Runnable dropped) throws InterruptedException {
    while (tasks >= capacity && !stopped) {
      wait();
    }
    if (stopped) {
      return false;
    }
    tasks++;
    Task task = new Task(added++, run, dropped);
    Lane known = lanes.get(name);
    if (known != null) {
      known.waiting.add(task);
      return true;
    }
    Lane lane = new Lane(name, new ArrayDeque<>());
    lane.waiting.add(task);
    lanes.put(name, lane);
    ready.add(lane);
    startReady();
    return true;
  }

  /** Waits until every task has ended; after {@link #stop}, until those have that had begun. */
  synchronized void awaitIdle() throws InterruptedException {
    while (tasks > 0) {
      wait();
    }
  }

  /** Drops the tasks that have not begun. */
  void stop() {
    List<Task> left = new ArrayList<>();
    synchronized (this) {
      stopped = true;
      ready.clear();
      for (Lane lane : lanes.values()) {
        left.addAll(lane.waiting);
        lane.waiting.clear();
      }
      tasks = running;
      notifyAll();
    }
    left.forEach(task -> task.dropped.run());
  }

  private void startReady() {
    while (running < concurrency && !ready.isEmpty()) {
      Lane lane = ready.poll();
      Task task = lane.waiting.removeFirst();
      running++;
      executor.execute(
          () -> {
            try {
              task.run.run();
            } finally {
              ended(lane);
            }
          });
    }
  }

  private synchronized void ended(Lane lane) {
    running--;
    tasks--;
    if (lane.waiting.isEmpty()) {
      lanes.remove(lane.name);
    } else {
      ready.add(lane);
    }
    startReady();
    notifyAll();
  }
}
